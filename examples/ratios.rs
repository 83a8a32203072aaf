//! Prints the results of `cargo bench`: medians, and the ratio of each contender to fusebox in the
//! same case.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, fs};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

/// The contender that others are compared with.
const OWN: &str = "fusebox";

fn main() -> io::Result<()> {
    let folder = results();
    let mut cases: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    collect(&folder, &mut cases)?;
    let mut out = io::stdout().lock();
    if cases.is_empty() {
        return writeln!(
            out,
            "No results in {}: run `cargo bench` first.",
            folder.display()
        );
    }
    for (case, medians) in &cases {
        let own = medians.get(OWN);
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([case.as_str(), "median", "ratio"]);
        for (who, median) in medians {
            let ratio = own.map_or(String::new(), |own| format!("{:.2}", median / own));
            table.add_row([who.clone(), format!("{median:.0} ns"), ratio]);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(out, "{table}\n")?;
    }
    writeln!(out, "A ratio above 1 means slower than {OWN}.")
}

/// The folder of criterion's results.
fn results() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    target.join("criterion")
}

/// Collects medians in nanoseconds by case and contender, from every `new/estimates.json` below a
/// folder.
fn collect(folder: &Path, cases: &mut BTreeMap<String, BTreeMap<String, f64>>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name == "new") {
            read(&path, cases);
        } else if path.is_dir() {
            collect(&path, cases)?;
        }
    }
    Ok(())
}

fn read(folder: &Path, cases: &mut BTreeMap<String, BTreeMap<String, f64>>) -> Option<()> {
    let json =
        |name: &str| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).ok()?).ok();
    let id = json("benchmark.json")?;
    let (case, who) = (
        id.get("group_id")?.as_str()?,
        id.get("function_id")?.as_str()?,
    );
    let median = json("estimates.json")?
        .get("median")?
        .get("point_estimate")?
        .as_f64()?;
    cases
        .entry(case.to_owned())
        .or_default()
        .insert(who.to_owned(), median);
    Some(())
}
