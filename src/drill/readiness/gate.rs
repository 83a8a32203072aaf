//! Lets a rollout begin, or refuses it.

use super::{Gap, Readiness};
use crate::call::{LineUp, Version};
use crate::error::Error;
use crate::event::PipelineEvent;
use crate::order::Order;
use crate::pipeline::Pipeline;

impl Pipeline {
    /// [Deploys](Self::deploy) the line-up of a readiness that has no gaps, or that a person has
    /// [overridden](Readiness::overridden_by): then a warning
    /// ([`RolloutForced`](PipelineEvent::RolloutForced)) records who, why and the gaps.
    ///
    /// An error with every gap ([`NotReady`](crate::ErrorKind::NotReady)) otherwise; when the
    /// readiness was checked for another pipeline, since its guards or their settings differ from
    /// those of this one, no sink of this one reaches the operator though the readiness found one,
    /// another version is in production or is what it falls back to, or another rollout goes on; or
    /// when the deployment is refused. Nothing is deployed then.
    ///
    /// `deploy` stays for a fallback and for what is no rollout, which must not wait for a gate.
    pub fn begin_rollout(&self, readiness: &Readiness) -> Result<(), Error> {
        self.check_readiness(readiness)?;
        let candidate = &readiness.candidate;
        let gaps: Vec<_> = readiness.gaps().iter().map(Gap::to_string).collect();
        if !gaps.is_empty() && readiness.order.is_none() {
            return Err(Error::not_ready(candidate, &gaps));
        }
        let next = &readiness.line_up;
        self.deploy_if(next.clone(), |live| check_live(live, next))?;
        if let Some(Order { who, why, .. }) = readiness.order.clone() {
            self.record(PipelineEvent::RolloutForced {
                candidate: candidate.clone(),
                who,
                why,
                gaps,
            });
        }
        Ok(())
    }

    /// An error if the readiness was checked for something else than this pipeline.
    fn check_readiness(&self, readiness: &Readiness) -> Result<(), Error> {
        let settings = self.settings_hash();
        if readiness.settings != settings {
            let allowed =
                format!("a check of this pipeline's guards and settings, {settings}; check again");
            return Err(Error::invalid("readiness", readiness.settings, allowed));
        }
        check_live(&self.line_up(), &readiness.line_up)?;
        if !self.has_pager() && !readiness.gaps.contains(&Gap::NoPager) {
            let allowed = "a sink that reaches the operator, as the readiness found one";
            return Err(Error::invalid("sinks of the pipeline", "none", allowed));
        }
        Ok(())
    }
}

/// An error if the rollout would change more of what is live than its candidate.
fn check_live(live: &LineUp, next: &LineUp) -> Result<(), Error> {
    let refuse = |field, checked: Option<&Version>, live: Option<&Version>| {
        let id = |version: Option<&Version>| {
            version.map_or("none".to_owned(), |version| version.id().to_string())
        };
        let allowed = format!("{}, as it is live; check again", id(live));
        Err(Error::invalid(field, id(checked), allowed))
    };
    if live.stable() != next.stable() {
        let field = "production version of a readiness";
        return refuse(field, Some(next.stable()), Some(live.stable()));
    }
    if live.previous() != next.previous() {
        let field = "previous version of a readiness";
        return refuse(field, next.previous(), live.previous());
    }
    if live.candidate().is_some() && live.candidate() != next.candidate() {
        let field = "candidate of a readiness";
        return refuse(field, next.candidate(), live.candidate());
    }
    Ok(())
}
