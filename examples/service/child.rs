//! The processes of the demonstration, and what they print.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{self, Command};

use crate::error::AnyError;

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
            .env("WEBHOOK_KEY", super::demo::WEBHOOK_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let outputs = process.stdout.take().zip(process.stderr.take());
        let (out, err) = outputs.ok_or("a process without output")?;
        let mut lines = BufReader::new(out).lines();
        tokio::spawn(show(name, lines_of(err)));
        let first = lines.next_line().await?.unwrap_or_default();
        let address = first.strip_prefix("listening on ");
        let address = address
            .ok_or_else(|| format!("{name} does not listen"))?
            .parse()?;
        tokio::spawn(show(name, lines));
        Ok(Self { address, process })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// Sends the process a signal, and waits for its end.
    pub(crate) async fn kill(mut self, signal: &str) -> Result<ExitStatus, AnyError> {
        let id = self.id().to_string();
        Command::new("kill").args([signal, &id]).status().await?;
        Ok(self.process.wait().await?)
    }
}

fn lines_of<R: AsyncRead + Unpin>(output: R) -> Lines<BufReader<R>> {
    BufReader::new(output).lines()
}

async fn show(name: &str, mut lines: Lines<impl AsyncBufRead + Unpin>) {
    while let Ok(Some(line)) = lines.next_line().await {
        println!("    {name:<8} | {line}");
    }
}
