//! The folders of `docs/architecture.md`: a folder uses only those above it there, and no files use
//! each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src` from the top down. A file that lies in no folder is ground: all may use it,
/// and it uses only ground.
const FOLDERS: [&str; 14] = [
    "stats", "tokens", "failure", "call", "event", "sink", "guard", "guards", "pipeline", "pager",
    "store", "keeper", "drill", "adapters",
];

/// A permit ends a call of the pipeline that gave it: parent and child, in one folder.
const ALLOWED: [(&str, &str); 1] = [("pipeline/permit", "pipeline")];

/// Where `async` may stand.
const ASYNC: [&str; 7] = [
    "tokens", "pipeline", "pager", "store", "keeper", "drill", "adapters",
];

/// What starts a thread, each by a call that says so.
const THREADS: [&str; 2] = ["sink/background", "store/sqlite"];

/// The source, by module: `guards/breaker/rule` for `src/guards/breaker/rule.rs`.
struct Source(BTreeMap<String, Module>);

struct Module {
    /// Without comments and unit tests.
    code: String,
    /// What it names, `crate::` and `super::` resolved, with the names by which others see it.
    uses: Vec<Vec<String>>,
    exports: BTreeMap<String, Vec<String>>,
}

impl Source {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut modules = BTreeMap::new();
        for path in files(&root) {
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            let name = name.to_str().unwrap().replace('\\', "/");
            if name != "lib" && name != "documentation" {
                modules.insert(
                    name.clone(),
                    Module::parse(&name, &fs::read_to_string(path).unwrap()),
                );
            }
        }
        assert!(modules.len() > 60, "found {} files only", modules.len());
        Self(modules)
    }

    fn of(files: &[(&str, &str)]) -> Self {
        let modules = files.iter();
        Self(
            modules
                .map(|(name, text)| ((*name).to_owned(), Module::parse(name, text)))
                .collect(),
        )
    }

    /// The file in which a path is defined, re-exports followed.
    fn defines(&self, path: &[String], depth: usize) -> Option<&str> {
        let mut module: Option<&str> = None;
        let mut taken = 0;
        for end in 1..=path.len() {
            match self.0.get_key_value(&path[..end].join("/")) {
                Some((name, _)) => (module, taken) = (Some(name.as_str()), end),
                None => break,
            }
        }
        let module = module?;
        let exported = path
            .get(taken)
            .and_then(|item| self.0[module].exports.get(item));
        match exported {
            Some(path) if depth < 5 => self.defines(path, depth + 1).or(Some(module)),
            _ => Some(module),
        }
    }

    /// Which files each file uses.
    fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let edges = self.0.iter().map(|(name, module)| {
            let used = module.uses.iter().filter_map(|path| self.defines(path, 0));
            (name.as_str(), used.filter(|other| other != name).collect())
        });
        edges.collect()
    }

    /// Files that use each other in a circle: what is left when those that use nothing left are
    /// taken away, again and again.
    fn circles(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut left = self.edges();
        for (from, to) in ALLOWED {
            if let Some(used) = left.get_mut(from) {
                used.remove(to);
            }
        }
        loop {
            let names: BTreeSet<&str> = left.keys().copied().collect();
            let before = left.len();
            left.retain(|_, used| {
                used.retain(|other| names.contains(other));
                !used.is_empty()
            });
            if left.len() == before {
                return left;
            }
        }
    }
}

impl Module {
    fn parse(name: &str, text: &str) -> Self {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let code = code.join("\n");
        let own: Vec<String> = name.split('/').map(str::to_owned).collect();
        let (mut uses, mut exports, mut rest) = (Vec::new(), BTreeMap::new(), String::new());
        for statement in code.split_inclusive(';') {
            let Some((before, tree)) = statement.rsplit_once("use ").filter(|(before, tree)| {
                !tree.contains('(')
                    && before.lines().last().is_none_or(|line| {
                        ["", "pub", "pub(crate)", "pub(super)"].contains(&line.trim())
                    })
            }) else {
                rest.push_str(statement);
                continue;
            };
            rest.push_str(before);
            let is_export = before
                .lines()
                .last()
                .is_some_and(|line| line.contains("pub"));
            for path in leaves(tree.trim_end_matches(';')) {
                let Some(path) = absolute(&own, &path) else {
                    continue;
                };
                if is_export {
                    exports.insert(path.last().unwrap().clone(), path);
                } else {
                    uses.push(path);
                }
            }
        }
        for start in ["crate::", "super::"] {
            for (at, _) in rest.match_indices(start) {
                let path: String = rest[at..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || "_:".contains(*c))
                    .collect();
                let path: Vec<String> = path
                    .trim_end_matches(':')
                    .split("::")
                    .map(str::to_owned)
                    .collect();
                uses.extend(absolute(&own, &path));
            }
        }
        let words: BTreeSet<&str> = rest
            .lines()
            .filter(|line| !line.contains("mod "))
            .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
            .collect();
        let used_here = exports
            .iter()
            .filter(|(item, _)| words.contains(item.as_str()));
        uses.extend(used_here.map(|(_, path)| path.clone()));
        Self {
            code,
            uses,
            exports,
        }
    }
}

/// The paths of a use tree: `a::{b, c::D}` has two.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap();
        return vec![
            path.split("::")
                .map(|part| part.trim().to_owned())
                .collect(),
        ];
    };
    let head: Vec<String> = head
        .trim_end()
        .trim_end_matches("::")
        .split("::")
        .map(|part| part.trim().to_owned())
        .collect();
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in group.trim_end().trim_end_matches('}').chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(c);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    let inner = parts.flat_map(|part| leaves(part));
    inner
        .map(|path| head.iter().cloned().chain(path).collect())
        .collect()
}

/// A path from the crate's root; `None` if it is of another crate.
fn absolute(own: &[String], path: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let base = own.get(..own.len().checked_sub(ups)?)?;
            Some(base.iter().chain(&path[ups..]).cloned().collect())
        }
        "self" => Some(own.iter().chain(&path[1..]).cloned().collect()),
        "std" | "serde" => None,
        _ => Some(own.iter().chain(path).cloned().collect()),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    found
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The place of a module's folder from the top; ground is above all.
fn floor(module: &str) -> usize {
    let folder = module.split('/').next().unwrap();
    FOLDERS
        .iter()
        .position(|name| *name == folder)
        .map_or(0, |at| at + 1)
}

#[test]
fn a_folder_uses_only_what_is_above_it() {
    let source = Source::read();
    for (module, used) in source.edges() {
        for other in used {
            assert!(
                floor(other) <= floor(module),
                "{module} uses {other}, which is below it"
            );
        }
    }
}

#[test]
fn every_folder_is_known() {
    for module in Source::read().0.keys() {
        if let Some((folder, _)) = module.split_once('/') {
            assert!(
                FOLDERS.contains(&folder),
                "give the folder `{folder}` its place among FOLDERS"
            );
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let source = Source::read();
    let circles = source.circles();
    assert!(circles.is_empty(), "{circles:#?}");
}

#[test]
fn guards_do_not_know_each_other() {
    let guard = |module: &str| {
        module
            .strip_prefix("guards/")
            .map(|rest| rest.split('/').next().unwrap().to_owned())
    };
    for (module, used) in Source::read().edges() {
        let Some(own) = guard(module) else { continue };
        for other in used.into_iter().filter_map(guard) {
            assert_eq!(other, own, "{module} reaches into another guard");
        }
    }
}

#[test]
fn only_the_clock_reads_the_time_and_nothing_above_the_shell_waits() {
    for (name, module) in &Source::read().0 {
        for forbidden in [
            "SystemTime::now",
            "Instant::now",
            "thread::sleep",
            "thread_local!",
            "thread::Builder",
            "thread::spawn",
            "static mut",
        ] {
            let is_allowed = name == "pipeline/clock"
                || THREADS.contains(&name.as_str()) && forbidden == "thread::Builder";
            assert!(
                is_allowed || !module.code.contains(forbidden),
                "{name} has {forbidden}"
            );
        }
        let folder = name.split('/').next().unwrap();
        assert!(
            ASYNC.contains(&folder) || !module.code.contains("async "),
            "{name} is async"
        );
    }
}

/// Types whose own methods lie in more than one file, and why. A builder's file makes what it builds, and needs no reason.
const SPREAD: [(&str, &[&str], &str); 9] = [
    (
        "CanaryPolicy",
        &["guards/rollout/canary", "guards/rollout/fit"],
        "a plan that is searched by simulation",
    ),
    (
        "Circuits",
        &[
            "guards/breaker/circuits",
            "guards/breaker/probes",
            "guards/breaker/trips",
        ],
        "what calls count for, what a broken rule leads to, and how a version comes back",
    ),
    (
        "Encoding",
        &["tokens/model", "tokens/counter/select"],
        "choosing a counter needs the counters",
    ),
    (
        "Keeper",
        &["keeper", "keeper/run"],
        "the loop of a service needs the timer of a runtime",
    ),
    (
        "Pipeline",
        &["pipeline", "pipeline/run", "drill/readiness/gate"],
        "the asynchronous form and the gate before a rollout stand on the synchronous one",
    ),
    (
        "Plan",
        &["guards/rollout/plan", "guards/rollout/feasibility"],
        "what can be said before the start",
    ),
    (
        "Rollout",
        &[
            "guards/rollout/controller",
            "guards/rollout/clearance",
            "guards/rollout/commands",
            "guards/rollout/following",
            "guards/rollout/observe",
            "guards/rollout/feasibility",
        ],
        "one lock: what its start, the operator, the calls and the planner ask of it, a file each",
    ),
    (
        "TokenBudget",
        &["guards/token_budget", "guards/token_budget/what_if"],
        "reports, apart from the path of a call",
    ),
    (
        "Trial",
        &[
            "guards/rollout/trial",
            "guards/rollout/counting",
            "guards/rollout/decide",
            "guards/rollout/findings",
            "guards/rollout/commands",
        ],
        "its state; what is counted; the decision; what it was made on; what a command does to it",
    ),
];

/// The types with methods of their own in each file.
fn implemented(source: &Source) -> BTreeMap<(String, String), BTreeSet<&str>> {
    let mut found: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (name, module) in &source.0 {
        for line in module
            .code
            .lines()
            .filter(|line| line.starts_with("impl") && !line.contains(" for "))
        {
            let line = line.strip_prefix("impl").unwrap();
            let line = match line.strip_prefix('<') {
                Some(generic) => generic.split_once("> ").map_or(generic, |(_, rest)| rest),
                None => line,
            };
            let name_of_type: String = line
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric())
                .collect();
            let folder: Vec<&str> = name.split('/').take(2).collect();
            found
                .entry((folder.join("/"), name_of_type))
                .or_default()
                .insert(name);
        }
    }
    found
}

#[test]
fn the_methods_of_a_type_lie_in_one_file_or_where_the_list_says_why() {
    let source = Source::read();
    let mut files: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for ((folder, name), found) in implemented(&source) {
        let is_private_to_a_guard = folder.starts_with("guards/") && found.len() == 1;
        let key = if is_private_to_a_guard {
            format!("{folder}:{name}")
        } else {
            name
        };
        files
            .entry(key)
            .or_default()
            .extend(found.iter().filter(|file| !file.ends_with("/builder")));
    }
    for (name, found) in files {
        let listed = SPREAD.iter().find(|(listed, _, _)| *listed == name);
        match listed {
            Some((_, files, why)) => {
                let files: BTreeSet<_> = files.iter().copied().collect();
                assert_eq!(found, files, "{name}: {why}");
            }
            None => assert!(found.len() <= 1, "{name} has methods in {found:?}"),
        }
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let source = Source::of(&[
        (
            "stats",
            "mod window;\npub(crate) use window::{Span, Window};\n",
        ),
        (
            "stats/window",
            "use crate::guard::Cx;\npub(crate) struct Window;\n",
        ),
        ("guard", "mod context;\npub use context::Cx;\n"),
        (
            "guard/context",
            "use crate::{\n    stats::{Window},\n};\n// use crate::time::Timestamp;\n",
        ),
        (
            "time",
            "fn f() { super::guard::g(); }\n#[cfg(test)]\nmod tests { use crate::stats; }\n",
        ),
    ]);
    let edges = source.edges();
    assert_eq!(edges["stats/window"], ["guard/context"].into());
    assert_eq!(edges["guard/context"], ["stats/window"].into());
    assert_eq!(edges["time"], ["guard"].into());
    assert!(edges["stats"].is_empty(), "a re-export uses nothing");
    let circle: Vec<_> = source.circles().into_keys().collect();
    assert_eq!(circle, ["guard/context", "stats/window"]);
    assert!(floor("stats/window") < floor("guard") && floor("time") < floor("stats"));
    let source = Source::of(&[
        (
            "a",
            "impl<T: Copy> Window<T> {\n}\nimpl fmt::Debug for Window {}\n",
        ),
        ("b", "impl Window {\n}\n"),
    ]);
    let found = implemented(&source);
    assert_eq!(found.len(), 2);
    assert!(found.keys().all(|(_, name)| name == "Window"));
}
