//! Which answers are worth another attempt, and when. Every call has a `request_id`, so each may be sent again: it has
//! one effect. What counts is whether another answer can be expected.

use std::error::Error;
use std::iter;
use std::time::Duration;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// What an error means for its call.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer: another attempt would get it again.
    Final,
    /// Another attempt may be answered otherwise; not before what the server asks for.
    Again { not_before: Duration },
}

/// Judges an error.
pub fn verdict(status: &Status) -> Verdict {
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let again = match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => true,
        // Without RetryInfo it is a limit that the call itself exceeds, as its size.
        Code::ResourceExhausted => asked.is_some() || is_transport(status),
        // What a broken connection becomes. From a server these two are its last word.
        Code::Unknown | Code::Internal => is_transport(status),
        _ => false,
    };
    if again { Verdict::Again { not_before: asked.unwrap_or_default() } } else { Verdict::Final }
}

/// Whether the error was made on this side, of a connection that failed: one that was received has no source.
fn is_transport(status: &Status) -> bool {
    status.source().is_some()
}

/// Whether the call's deadline passed on this side, which tonic calls CANCELLED.
pub fn timed_out(status: &Status) -> bool {
    sources(status).any(<dyn Error>::is::<TimeoutExpired>)
}

/// What an error is about: the last of its sources, as the first ones say no more than "transport error"; or what the
/// server says.
pub fn cause(status: &Status) -> String {
    sources(status).last().map_or_else(|| status.message().to_owned(), ToString::to_string)
}

fn sources(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(status.source(), |error| (*error).source())
}

/// How long to wait after so many failed attempts. `jitter` is from 0 to 1, and spreads callers that failed together.
pub fn pause(failed: u32, not_before: Duration, jitter: f64) -> Duration {
    let doubled = SHORTEST.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
    let pause = doubled.min(LONGEST).mul_f64(0.5 + jitter / 2.0);
    pause.max(not_before.mul_f64(1.0 + jitter / 4.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    const NOW: Verdict = Verdict::Again { not_before: Duration::ZERO };

    fn broken(code: Code) -> Status {
        let mut status = Status::new(code, "h2 protocol error");
        status.set_source(std::sync::Arc::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        status
    }

    fn asking(code: Code, delay: Duration) -> Status {
        Status::with_error_details(code, "later", ErrorDetails::with_retry_info(Some(delay)))
    }

    #[test]
    fn an_answer_that_may_change_is_asked_for_again() {
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Cancelled] {
            assert_eq!(verdict(&Status::new(code, "")), NOW, "{code:?}");
            assert_eq!(verdict(&broken(code)), NOW, "{code:?}");
        }
    }

    #[test]
    fn a_broken_connection_is_not_an_answer() {
        for code in [Code::Unknown, Code::Internal, Code::ResourceExhausted] {
            assert_eq!(verdict(&broken(code)), NOW, "{code:?}");
            assert_eq!(verdict(&Status::new(code, "")), Verdict::Final, "{code:?}");
        }
    }

    #[test]
    fn an_error_is_told_by_what_caused_it() {
        assert_eq!(cause(&Status::new(Code::Aborted, "stale")), "stale");
        assert_eq!(cause(&broken(Code::Unknown)), "connection reset");
        let mut expired = Status::new(Code::Cancelled, "");
        expired.set_source(std::sync::Arc::new(TimeoutExpired(())));
        assert!(timed_out(&expired) && !timed_out(&broken(Code::Cancelled)));
    }

    #[test]
    fn an_overloaded_server_says_when() {
        let delay = Duration::from_millis(200);
        for code in [Code::ResourceExhausted, Code::Unavailable] {
            assert_eq!(verdict(&asking(code, delay)), Verdict::Again { not_before: delay }, "{code:?}");
        }
    }

    #[test]
    fn everything_else_is_final() {
        let finals = [
            Code::InvalidArgument,
            Code::NotFound,
            Code::AlreadyExists,
            Code::PermissionDenied,
            Code::FailedPrecondition,
            Code::Aborted,
            Code::OutOfRange,
            Code::Unimplemented,
            Code::DataLoss,
            Code::Unauthenticated,
        ];
        for code in finals {
            assert_eq!(verdict(&Status::new(code, "")), Verdict::Final, "{code:?}");
            assert_eq!(verdict(&asking(code, SHORTEST)), Verdict::Final, "{code:?}");
        }
    }

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread() {
        let most: Vec<_> = (1..=8).map(|failed| pause(failed, Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(most, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(pause(1, Duration::ZERO, 0.0), Duration::from_millis(50));
        assert_eq!(pause(u32::MAX, Duration::ZERO, 0.0), Duration::from_millis(2500));
    }

    #[test]
    fn the_server_is_asked_no_earlier_than_it_said() {
        let asked = Duration::from_millis(200);
        assert_eq!(pause(1, asked, 0.0), asked);
        assert_eq!(pause(1, asked, 1.0), Duration::from_millis(250));
        assert_eq!(pause(7, asked, 1.0), LONGEST);
    }
}
