//! A feasibility as a table for the operator.

use std::fmt;

use super::{Feasibility, shown};

impl fmt::Display for Feasibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "stage  share   minimum time  documents  information  needed"
        )?;
        for (number, stage) in (1..).zip(&self.stages) {
            let at_least = humantime::format_duration(stage.at_least).to_string();
            writeln!(
                f,
                "{number:>5}  {:<6}  {at_least:<12}  {:>9.0}  {:>11.1}  {:>6.0}",
                stage.share.to_string(),
                stage.documents,
                stage.information,
                stage.needed
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "a candidate that is    promoted  rolled back      escalated  median time  90 % within"
        )?;
        for (name, forecast) in [
            ("as good as production", self.equal),
            ("corrected twice as often", self.twice),
        ] {
            writeln!(
                f,
                "{name:<24} {:>5.0} % {:>10.0} % {:>12.0} %  {:>11}  {:>11}",
                forecast.promoted * 100.0,
                forecast.rolled_back * 100.0,
                forecast.escalated * 100.0,
                shown(forecast.median),
                shown(forecast.nine_in_ten)
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "type                per hour  documents  corrections   decided: 50 %     90 %"
        )?;
        for found in &self.types {
            writeln!(
                f,
                "{:<20} {:>7.1}  {:>9.0}  {:>11.1}  {:>14}  {:>7}",
                found.document_type,
                found.per_hour,
                found.documents,
                found.corrections,
                shown(found.verdict.0),
                shown(found.verdict.1)
            )?;
        }
        for warning in self.warnings() {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
