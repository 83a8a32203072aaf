//! What the tests share that kill a process again and again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Child;

/// How often a process is killed (`FUSEBOX_ROUNDS`), and the seed of when (`FUSEBOX_SEED`).
pub(crate) fn rounds_and_seed() -> (u64, u64) {
    let number =
        |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse().unwrap());
    let (rounds, seed) = (
        number("FUSEBOX_ROUNDS", 20),
        number("FUSEBOX_SEED", 20_261_127),
    );
    println!("{rounds} rounds of kill -9, FUSEBOX_SEED={seed}");
    (rounds, seed)
}

/// What a process printed until it was killed, after this many lines. Lines that it printed before it
/// died count.
pub(crate) fn killed_after(child: &mut Child, lines: u64) -> Vec<String> {
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut confirmed = Vec::new();
    for _ in 0..lines {
        confirmed.extend(out.next().map(Result::unwrap));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest: Vec<String> = out.map_while(Result::ok).collect();
    // The last line may be cut off.
    rest.pop();
    confirmed.extend(rest);
    assert!(confirmed.len() as u64 >= lines, "it ended by itself");
    confirmed
}

pub(crate) fn assert_whole(file: &Path, round: u64) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok", "round {round}");
}

/// `SplitMix64`.
pub(crate) fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
