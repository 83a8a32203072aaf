//! What an operator has to know of a run, on a screen.

use std::path::Path;

use fusebox::shadow::{Bucket, ShadowReport};

pub(crate) fn print(report: &ShadowReport, page: &Path, lines: &Path) {
    let (candidate, total) = (&report.candidate, &report.total);
    let production = match &report.production {
        Some(production) => production.as_str(),
        None => "(none)",
    };
    println!(
        "\n{candidate} ran beside {production} on {} documents: {} calls, {} tokens",
        total.begun(),
        report.calls,
        report.tokens
    );
    for bucket in Bucket::ALL {
        let count = total.of(bucket);
        if count > 0 {
            let note = if bucket.is_diverging() {
                "  counts as diverging"
            } else {
                ""
            };
            println!("  {bucket:<18} {count:>5}{note}");
        }
    }
    println!("  {:<18} {:>5}", "all", report.offered());

    println!("\nBy type");
    for (document_type, counts) in &report.types {
        let (low, high) = counts.interval();
        println!(
            "  {:<18} {:>5} of {} diverge ({low} to {high})",
            document_type.as_str(),
            counts.diverging(),
            counts.compared()
        );
    }

    println!("\nVerdicts");
    let (low, high) = report.interval;
    println!(
        "  divergence   {}: {} of {} documents ({low} to {high}); the limit is {}",
        report.verdict,
        total.diverging(),
        total.compared(),
        report.threshold
    );
    println!("  noise        {}", noise(report));
    if let Some(judged) = &report.judged {
        let units = &judged.units;
        println!("  corrections  {}", judged.verdict);
        println!(
            "               of {} reviewed answers {} of {candidate} are wrong, and {} of {production}",
            units.total(),
            units.candidate_wrong(),
            units.production_wrong()
        );
    }

    println!("\nThe review page: {}", page.display());
    println!("The same as JSON Lines: {}", lines.display());
    if report.divergences.is_empty() {
        println!("Next: nothing diverges, so there is nothing to mark.");
        return;
    }
    println!(
        "Next: open the page, mark its divergences (keys j, a, r) and save the marks; then run this \
         again with --marks FILE. What you accepted no longer counts."
    );
}

fn noise(report: &ShadowReport) -> String {
    let Some(noise) = &report.baseline else {
        return "not measured".to_owned();
    };
    let excess = if noise.is_distinguishable() {
        "more than chance explains"
    } else {
        "chance may explain it"
    };
    format!(
        "production differs from itself in {} of {} documents, the candidate from it in {} of {}: \
         {excess} (p = {:.4})",
        noise.diverging,
        noise.compared,
        noise.only_candidate + noise.both,
        noise.paired(),
        noise.p_value()
    )
}
