//! The program: parses arguments, starts, waits, and says by its exit code how it went.

use clap::{Parser, Subcommand};
use lead_pipeline::admin::prune::{self, Prune};
use lead_pipeline::admin::verify::{self, Verify};
use lead_pipeline::app::App;
use lead_pipeline::cli::apply::{self, Apply};
use lead_pipeline::cli::funnel::{self, Funnel};
use lead_pipeline::cli::leads::{self, Leads};
use lead_pipeline::cli::revive::{self, Revive};
use lead_pipeline::cli::watch::{self, Watch};
use lead_pipeline::cli::watchers::{self, Watchers};
use lead_pipeline::config::Config;
use lead_pipeline::telemetry;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A call makes some dozens of small allocations: with this one they cost half.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Knows where every sales lead stands.
#[derive(Debug, Parser)]
#[command(name = "lead-pipeline", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the pipeline over gRPC.
    Serve(Box<Config>),
    /// Sends a file of calls to a running server.
    Apply(Box<Apply>),
    /// Counts the leads in each stage, where they went on to, and how long that took.
    Funnel(Funnel),
    /// Lists leads: who is where, since when, and what comes next.
    Leads(Leads),
    /// Takes old history away, or says how much there is.
    Prune(Box<Prune>),
    /// Sets an agent's outreach mode, and revives its exhausted leads.
    Revive(Revive),
    /// Checks a database, and what clients recorded of it.
    Verify(Box<Verify>),
    /// Prints stage changes as they happen, and proves that none is missing.
    Watch(Box<Watch>),
    /// Lists who watches a running server, and how far behind.
    Watchers(Watchers),
}

#[tokio::main]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(config) => serve(*config).await,
        Command::Apply(arguments) => apply::run(*arguments).await,
        Command::Funnel(arguments) => funnel::run(arguments).await,
        Command::Leads(arguments) => leads::run(arguments).await,
        Command::Prune(arguments) => prune::run(*arguments).await,
        Command::Revive(arguments) => revive::run(arguments).await,
        Command::Verify(arguments) => verify::run(*arguments).await,
        Command::Watch(arguments) => watch::run(*arguments).await,
        Command::Watchers(arguments) => watchers::run(arguments).await,
    }
}

async fn serve(config: Config) -> ExitCode {
    if let Err(error) = telemetry::init_logs(&config.log, config.log_format) {
        eprintln!("lead-pipeline: {error}");
        return ExitCode::from(2);
    }
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone()));
    let print_examples = config.print_examples;
    match App::start(config, shutdown.clone()).await {
        Ok(app) => {
            println!("lead-pipeline serves on {}", app.address());
            if print_examples {
                println!("{}", examples(app.address()));
            }
            shutdown.cancelled().await;
            tracing::info!("stopping");
            app.stop().await;
            ExitCode::SUCCESS
        }
        Err(lead_pipeline::app::AppError::Stopped) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lead-pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first signal stops in order; the second one at once.
async fn stop_on_signal(shutdown: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals can't be heard: end the process by force");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
        if shutdown.is_cancelled() {
            tracing::warn!("stopped by force");
            std::process::exit(1);
        }
        shutdown.cancel();
    }
}

/// What to try first.
fn examples(address: std::net::SocketAddr) -> String {
    format!(
        "
Try, in other terminals, in this folder:

  export PATH=\"$PWD/.tools/bin:$PWD/target/release:$PATH\"   # grpcurl, lead-pipeline
  grpcurl -plaintext -d '{{\"beginning\": {{}}}}' {address} leadpipeline.v1.LeadPipeline/WatchStageChanges
  grpcurl -plaintext -d '{{\"lead_id\": \"lead-1\"}}' {address} leadpipeline.v1.LeadPipeline/CreateLead
  grpcurl -plaintext -d '{{\"lead_id\": \"lead-1\", \"trigger\": {{\"message_sent\": {{}}}}}}' {address} \
         leadpipeline.v1.LeadPipeline/ApplyTrigger

Ctrl-C stops the server; the data stays."
    )
}
