//! Stores: what each must do, and what the one in a file does beyond.

mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;

/// Waits for what needs no reactor.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}
