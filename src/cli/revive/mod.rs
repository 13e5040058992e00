//! `lead-pipeline revive`: sets an agent's outreach mode, and shows how its exhausted leads come back. Comes in: the
//! progress that the server tells. Goes out: a bar, and the counts. The revival itself is the server's: it goes on
//! whatever becomes of this program.

mod follow;
mod show;

use super::connect::endpoint;
use super::say::{name, refused, say};
use super::signals::Signals;
use super::table::Form;
use super::values::{address, duration};
use crate::contract::{Names, json, message};
use crate::proto::{Actor, ActorKind, OutreachMode, RevivalState, ReviveForModeRequest, ReviveForModeResponse};
use clap::{Args, ValueEnum};
use follow::{Ending, Follower};
use show::Show;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use uuid::Uuid;

const MODE: &str = "OUTREACH_MODE_";

const MORE: &str = "\
The revival is the server's: once accepted it goes on to its end, whatever becomes of this command
or of the server. The same command with the --request-id that is told attaches to its progress
again, and so does this command by itself when the server was away.

Exit code: 0 if it finished, 1 if not (a newer one for the same agent has ended it, the server
refuses it or is away for too long), 2 for wrong arguments, 130 after Ctrl-C, 143 after SIGTERM.";

/// Arguments of `lead-pipeline revive`.
#[derive(Clone, Debug, Args)]
#[command(after_help = MORE)]
pub struct Revive {
    /// The agent. One that nobody has named yet is made.
    #[arg(value_name = "AGENT")]
    agent: String,
    /// The outreach mode that it gets: sms-only, email-only, voice-only or blended.
    #[arg(long, value_name = "MODE", value_parser = mode)]
    mode: OutreachMode,
    /// Only counts what would happen.
    #[arg(long)]
    dry_run: bool,
    /// The request to attach to, or a name for a new one: a UUID. [default: a new one]
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    /// Who asks for it. [default: not said, which is a service called `unknown`]
    #[arg(long, value_name = "ID")]
    actor_id: Option<String>,
    /// What --actor-id is.
    #[arg(long, value_enum, default_value = "person", value_name = "KIND", requires = "actor_id")]
    actor_kind: Kind,
    /// The server, as HOST:PORT or http://HOST:PORT.
    #[arg(long, env = "LEAD_PIPELINE_ADDRESS", default_value = "http://127.0.0.1:50051", value_parser = address)]
    address: String,
    /// The form of the counts; as JSON they are the last ReviveForModeResponse.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", value_name = "FORM")]
    format: Form,
    /// How long the server may take for its first word, like 250ms or 10s.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration(Duration::from_millis(1)))]
    timeout: Duration,
    /// How long the server may be away before this command gives up, like 30s or 5m; 0s for not at all.
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = duration(Duration::ZERO))]
    retry_for: Duration,
}

/// Who may ask for a revival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Person,
    AiAgent,
    Service,
}

/// A mode by its name, with or without its prefix, in any case.
fn mode(text: &str) -> Result<OutreachMode, String> {
    let upper = text.to_ascii_uppercase().replace('-', "_");
    let found = OutreachMode::from_str_name(&format!("{MODE}{}", upper.strip_prefix(MODE).unwrap_or(&upper)));
    let found = found.filter(|mode| *mode != OutreachMode::Unspecified);
    found
        .ok_or_else(|| format!("there is no mode {text:?}; the modes are sms-only, email-only, voice-only and blended"))
}

/// Runs the command to its end, which is also what the exit code says.
pub async fn run(arguments: Revive) -> ExitCode {
    let endpoint = match endpoint(&arguments.address, arguments.timeout) {
        Ok(endpoint) => endpoint,
        Err(words) => {
            say(words);
            return ExitCode::from(2);
        }
    };
    let request = request(&arguments);
    let again = again(&arguments, &request.request_id);
    let mut follower = Follower::new(&arguments, endpoint, request, Show::new());
    let ending = tokio::select! {
        ending = follower.follow() => ending,
        number = signal() => Ending::Signal(number),
    };
    follower.show.finish();
    let known = follower.last.as_ref();
    match ending {
        Ending::Done => return done(&arguments, known),
        Ending::Signal(_) if arguments.dry_run => say("interrupted: nothing was changed (--dry-run)"),
        Ending::Signal(_) => say(format_args!("interrupted: {}", goes_on(known.is_some(), &again))),
        Ending::GaveUp(ref status) => {
            refused(format_args!("gave up: {} is away for too long", arguments.address), status);
            say(goes_on(known.is_some(), &again));
        }
        Ending::Refused(status) => {
            return refused(format_args!("{} refuses the revival", arguments.address), &status);
        }
    }
    match ending {
        Ending::Signal(number) => ExitCode::from(128 + number),
        _ => ExitCode::FAILURE,
    }
}

/// Waits for a signal.
async fn signal() -> u8 {
    match Signals::hear() {
        Ok(mut signals) => signals.next().await,
        Err(error) => {
            say(format_args!("signals can't be heard: {error}"));
            std::future::pending().await
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a caller names its own request: nothing is decided by it")]
fn request(arguments: &Revive) -> ReviveForModeRequest {
    let kind = match arguments.actor_kind {
        Kind::Person => ActorKind::Person,
        Kind::AiAgent => ActorKind::AiAgent,
        Kind::Service => ActorKind::Service,
    };
    ReviveForModeRequest {
        agent_id: arguments.agent.clone(),
        outreach_mode: arguments.mode.into(),
        request_id: arguments.request_id.unwrap_or_else(Uuid::now_v7).to_string(),
        actor: arguments.actor_id.clone().map(|id| Actor { kind: kind.into(), id }),
        validate_only: arguments.dry_run,
    }
}

/// The command that attaches to this revival.
fn again(arguments: &Revive, request_id: &str) -> String {
    let mode = name(arguments.mode.as_str_name(), MODE).to_ascii_lowercase().replace('_', "-");
    let mut text = format!("lead-pipeline revive {} --mode {mode} --request-id {request_id}", arguments.agent);
    if let Some(actor) = &arguments.actor_id {
        // The actor is content: without it the request would be another one.
        let kind = arguments.actor_kind.to_possible_value();
        let kind = kind.as_ref().map_or("person", |kind| kind.get_name());
        // Writing to a String can't fail.
        let _ = write!(text, " --actor-id {actor} --actor-kind {kind}");
    }
    text + " --address " + &arguments.address
}

/// What is to be done about a revival that isn't watched any more.
fn goes_on(accepted: bool, again: &str) -> String {
    if accepted {
        format!("the revival goes on; see it with: {again}")
    } else {
        format!("whether it was accepted isn't known; this tells, or asks for it: {again}")
    }
}

/// Prints the counts of a revival that has ended.
fn done(arguments: &Revive, last: Option<&ReviveForModeResponse>) -> ExitCode {
    let Some((response, revival)) = last.and_then(|last| Some((last, last.revival.as_ref()?))) else {
        say(format_args!("{} has said nothing of the revival", arguments.address));
        return ExitCode::FAILURE;
    };
    let text = match arguments.format {
        Form::Table => show::summary(revival),
        Form::Json => json(&message("ReviveForModeResponse"), response, Names::Json).get().to_owned() + "\n",
    };
    // Nobody may be reading.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if revival.state() == RevivalState::Superseded {
        say(format_args!("superseded: {} was given a mode anew before every lead was looked at", revival.agent_id));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_taken_with_or_without_prefix_in_any_case() {
        for text in ["sms-only", "SMS_ONLY", "outreach_mode_sms_only"] {
            assert_eq!(mode(text), Ok(OutreachMode::SmsOnly), "{text}");
        }
        for text in ["", "sms", "unspecified"] {
            let error = mode(text).expect_err(text);
            assert!(error.contains("sms-only, email-only, voice-only and blended"), "{error}");
        }
    }
}
