//! What a scenario measured.

use std::fmt;
use std::time::Duration;

/// Durations, in order.
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn of(durations: impl IntoIterator<Item = Duration>) -> Self {
        let mut durations: Vec<_> = durations.into_iter().collect();
        durations.sort_unstable();
        Self(durations)
    }

    /// The duration that this share of all stays within.
    pub fn share(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(((self.0.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
    }

    pub fn p99(&self) -> Duration {
        self.share(0.99)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| self.share(share).as_secs_f64() * 1e3);
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms ({} in all)", self.0.len())
    }
}

/// So many in that time, a second.
pub fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Says a figure where it is seen though the test passes.
pub fn say(figure: impl fmt::Display) {
    println!("    {figure}");
}

/// A promise about a figure, which is kept or fails the scenario.
pub fn promise(what: &str, kept: bool) {
    say(format_args!("{} {what}", if kept { "kept:  " } else { "BROKEN:" }));
    assert!(kept, "broken: {what}");
}
