//! Lets a rollout begin, or refuses it.

use super::{Gap, Readiness};
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
    /// those of this one, no sink of this one reaches the operator, or another version is in
    /// production; or when the deployment is refused. Nothing is deployed then.
    ///
    /// `deploy` stays for a fallback and for what is no rollout, which must not wait for a gate.
    pub fn begin_rollout(&self, readiness: &Readiness) -> Result<(), Error> {
        self.check_readiness(readiness)?;
        let candidate = &readiness.candidate;
        let gaps: Vec<_> = readiness.gaps().iter().map(Gap::to_string).collect();
        if !gaps.is_empty() && readiness.order.is_none() {
            return Err(Error::not_ready(candidate, &gaps));
        }
        self.deploy(readiness.line_up.clone())?;
        if let Some(Order { who, why }) = readiness.order.clone() {
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
        let live = self.line_up();
        let (live, checked) = (live.stable(), readiness.line_up.stable());
        if live != checked {
            let allowed = format!("the version in production, {}; check again", live.id());
            let field = "production version of a readiness";
            return Err(Error::invalid(field, checked.id(), allowed));
        }
        if !self.has_pager() && !readiness.gaps.contains(&Gap::NoPager) {
            let allowed = "a sink that reaches the operator, as the readiness found one";
            return Err(Error::invalid("sinks of the pipeline", "none", allowed));
        }
        Ok(())
    }
}
