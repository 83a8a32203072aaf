//! Many runs of one setting.

use std::num::NonZero;
use std::thread;

use fusebox::Error;

/// The runs with the seeds from this one on, on all cores; the order is that of the seeds.
pub(crate) fn outcomes<T: Send>(
    runs: u32,
    seed: u64,
    run: impl Fn(u64) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let seeds: Vec<u64> = (0..runs)
        .map(|run| seed.wrapping_add(u64::from(run)))
        .collect();
    let share = seeds.len().div_ceil(threads).max(1);
    let run = &run;
    thread::scope(|scope| {
        let chunks: Vec<_> = seeds
            .chunks(share)
            .map(|seeds| {
                scope.spawn(move || -> Result<Vec<T>, Error> {
                    seeds.iter().map(|seed| run(*seed)).collect()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(seeds.len());
        for chunk in chunks {
            match chunk.join() {
                Ok(outcomes) => all.extend(outcomes?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}
