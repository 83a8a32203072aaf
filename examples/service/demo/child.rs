//! The processes of the demonstration, and what they print.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines};
use tokio::process::{self, Command};

use crate::error::AnyError;

const WEBHOOK_KEY: &str = "only for this demonstration";

/// A process of this program, which ends with the demonstration.
pub(crate) struct Child {
    pub(crate) address: SocketAddr,
    process: process::Child,
}

impl Child {
    /// Starts this program with these arguments, and waits until it listens. What it prints is shown
    /// under its name.
    pub(crate) async fn start(name: &'static str, arguments: &[&str]) -> Result<Self, AnyError> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(name)
            .args(arguments)
            .env("WEBHOOK_KEY", WEBHOOK_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let outputs = process.stdout.take().zip(process.stderr.take());
        let (out, err) = outputs.ok_or("a process without output")?;
        let mut lines = BufReader::new(out).lines();
        let errors = tokio::spawn(show(name, BufReader::new(err).lines()));
        let first = lines.next_line().await?.unwrap_or_default();
        let Some(address) = first.strip_prefix("listening on ") else {
            errors.await?;
            return Err(format!("`{name}` does not start").into());
        };
        let address = address.parse()?;
        tokio::spawn(show(name, lines));
        Ok(Self { address, process })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Sends the process a signal with the program `kill`, and waits for its end.
    pub(crate) async fn kill(mut self, signal: &str) -> Result<ExitStatus, AnyError> {
        let id = self.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().await?;
        if !sent.success() {
            return Err(format!("`kill {signal} {id}`: {sent}").into());
        }
        Ok(self.process.wait().await?)
    }
}

async fn show(name: &str, mut lines: Lines<impl AsyncBufRead + Unpin>) {
    while let Ok(Some(line)) = lines.next_line().await {
        println!("    [{name}] {line}");
    }
}
