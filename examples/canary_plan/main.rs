//! Estimates what a rollout can detect with the available documents, before it starts, or finds the
//! canary that detects enough in time.
//!
//! ```text
//! cargo run --release --example canary_plan -- --type invoice=400 --type contract=12 --corrections 3
//! cargo run --release --example canary_plan -- --type invoice=100 --delay 6 --fit 7
//! ```

use std::process::ExitCode;
use std::time::Duration;

use fusebox::rollout::{Risk, Traffic};
use fusebox::{BlueGreenPolicy, CanaryPolicy, DocumentType, Ratio};

const HOUR: Duration = Duration::from_secs(3_600);

const USAGE: &str = "\
usage: canary_plan --type NAME=DOCUMENTS_PER_HOUR [--type ..] [--corrections PERCENT]
                   [--delay HOURS] [--policy canary | published | blue-green | --fit DAYS]

  --type         a document type and its documents per hour; may be repeated
  --corrections  how many of 100 answers reviewers correct today (default 3)
  --delay        the mean time from an answer to its review (default: at once)
  --policy       canary: 5 % for 2 h, 25 % for 4 h (the default); published: the same stages with
                 the plain ratio; blue-green: 10 % for 48 h
  --fit          the canary with the smallest share that reaches a verdict within this time, or what
                 that would need";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match answer(&arguments) {
        Ok(answer) => {
            println!("{}", answer.trim_end());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn answer(arguments: &[String]) -> Result<String, String> {
    let (mut types, mut corrections, mut policy) = (Vec::new(), Ratio::percent(3), "canary");
    let (mut delay, mut longest) = (None, None);
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        let mut value = || left.next().ok_or(format!("{argument}: value missing"));
        match argument.as_str() {
            "--type" => types.push(document_type(value()?)?),
            "--corrections" => corrections = percent(value()?)?,
            "--delay" => delay = Some(time(argument, value()?, HOUR)?),
            "--fit" => longest = Some(time(argument, value()?, HOUR * 24)?),
            "--policy" => policy = value()?,
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    let traffic = Traffic::new(types, corrections).map_err(|error| error.to_string())?;
    let traffic = match delay {
        Some(mean) => traffic.reviewed_after(mean),
        None => traffic,
    };
    if let Some(longest) = longest {
        let fit = CanaryPolicy::fit(&traffic, &Risk::within(longest));
        return fit
            .map(|fit| fit.to_string())
            .map_err(|error| error.to_string());
    }
    let feasibility = match policy {
        "canary" => CanaryPolicy::default().feasibility(&traffic),
        "published" => CanaryPolicy::with_plain_ratio().feasibility(&traffic),
        "blue-green" => BlueGreenPolicy::default().feasibility(&traffic),
        other => {
            return Err(format!(
                "--policy: got `{other}`, expected canary, published or blue-green"
            ));
        }
    };
    Ok(feasibility.to_string())
}

/// A number of times this unit.
fn time(field: &str, text: &str, unit: Duration) -> Result<Duration, String> {
    let number: Option<f64> = text.parse().ok();
    let time =
        number.and_then(|number| Duration::try_from_secs_f64(number * unit.as_secs_f64()).ok());
    time.ok_or(format!(
        "{field}: got `{text}`, expected a number, as in 6 or 0.5"
    ))
}

fn document_type(text: &str) -> Result<(DocumentType, f64), String> {
    let wrong = || format!("--type: got `{text}`, expected a name and a number, as in invoice=400");
    let (name, per_hour) = text.split_once('=').ok_or_else(wrong)?;
    let name = DocumentType::new(name).map_err(|error| error.to_string())?;
    Ok((name, per_hour.parse().map_err(|_| wrong())?))
}

fn percent(text: &str) -> Result<Ratio, String> {
    let wrong = || format!("--corrections: got `{text}`, expected a percentage, as in 3 or 2.5");
    let percent: f64 = text.parse().map_err(|_| wrong())?;
    let rounded = format!("{:.0}", percent * 100.0);
    Ok(Ratio::basis_points(rounded.parse().map_err(|_| wrong())?))
}
