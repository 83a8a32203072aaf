//! The traffic that the budget records: documents of a folder, or recorded token counts.

use fusebox::{Call, Timestamp, TokenBudget, Version};

use crate::AnyError;
use crate::args::Args;
use crate::report::thousands;
use crate::{arrivals, folder};

/// The recorded traffic.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) source: String,
    /// The files or rows that could not be read, and why.
    pub(crate) unreadable: Vec<String>,
}

pub(crate) fn record(
    args: &Args,
    budget: &TokenBudget,
    now: &Version,
) -> Result<Traffic, AnyError> {
    if args.trace.is_empty() {
        record_folder(args, budget, now)
    } else {
        record_traces(args, budget, now)
    }
}

fn record_folder(args: &Args, budget: &TokenBudget, now: &Version) -> Result<Traffic, AnyError> {
    let path = args.documents.clone().unwrap_or_else(folder::own);
    let folder = folder::read(&path)?;
    for file in &folder.files {
        let name = file.path.display().to_string();
        let call = Call::new(&name, file.document_type.as_str())?.with_document(&file.text);
        budget
            .record(&call, now, Timestamp::EPOCH)
            .map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(Traffic {
        source: format!("{} files in {}", folder.files.len(), path.display()),
        unreadable: folder.unreadable,
    })
}

fn record_traces(args: &Args, budget: &TokenBudget, now: &Version) -> Result<Traffic, AnyError> {
    let (mut rows, mut longest, mut unreadable) = (0, 0, Vec::new());
    for file in &args.trace {
        let trace = arrivals::read(file)?;
        let document_type = file.file_stem().unwrap_or_default().to_string_lossy();
        for arrival in &trace.all {
            let call = Call::new("row", &*document_type)?.with_document_tokens(arrival.tokens);
            budget.record(&call, now, arrival.at)?;
            longest = longest.max(arrival.answer);
        }
        rows += trace.all.len() as u64;
        let named = |row| format!("{}: {row}", file.display());
        unreadable.extend(trace.unreadable.into_iter().map(named));
    }
    let source = format!(
        "{} calls (at most the last eight days count); the longest answer had {} tokens",
        thousands(rows),
        thousands(longest)
    );
    Ok(Traffic { source, unreadable })
}
