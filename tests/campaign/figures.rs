//! What a scenario measured.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How long each of many things took, by when it began.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<(Instant, Duration)>);

impl Latencies {
    /// Those that began within this time.
    pub fn within(&self, time: Range<Instant>) -> Self {
        self.0.iter().copied().filter(|(began, _)| time.contains(began)).collect()
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        self.0.into_iter().chain(other.0).collect()
    }

    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// The duration that this share of all stays within.
    pub fn share(&self, share: f64) -> Duration {
        quantile(self.0.iter().map(|(_, took)| *took), share)
    }

    /// The median of the 99th percentiles of every five seconds: what is usual, whatever one stall of the machine does.
    pub fn usual_p99(&self) -> Duration {
        const WINDOW: u64 = 5;
        let Some(start) = self.0.iter().map(|(began, _)| *began).min() else { return Duration::ZERO };
        let mut windows: Vec<(u64, Vec<Duration>)> = Vec::new();
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        for (began, took) in sorted {
            let window = (began - start).as_secs() / WINDOW;
            match windows.last_mut() {
                Some((last, all)) if *last == window => all.push(took),
                _ => windows.push((window, vec![took])),
            }
        }
        // The last one may be cut off.
        let whole = windows.len().saturating_sub(1).max(1);
        quantile(windows.into_iter().take(whole).map(|(_, all)| quantile(all, 0.99)), 0.5)
    }
}

fn quantile(durations: impl IntoIterator<Item = Duration>, share: f64) -> Duration {
    let mut durations: Vec<_> = durations.into_iter().collect();
    durations.sort_unstable();
    let last = durations.len().saturating_sub(1);
    durations.get(((durations.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
}

impl FromIterator<(Instant, Duration)> for Latencies {
    fn from_iter<I: IntoIterator<Item = (Instant, Duration)>>(latencies: I) -> Self {
        Self(latencies.into_iter().collect())
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, usual] = [self.share(0.5), self.share(0.99), self.usual_p99()].map(|d| d.as_secs_f64() * 1e3);
        write!(f, "p50 {p50:.2} ms, p99 {p99:.2} ms ({usual:.2} ms in the median 5 s), {} in all", self.0.len())
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

#[test]
fn one_stall_is_not_the_usual() {
    let start = Instant::now();
    let millis = Duration::from_millis;
    let took = |n: u64| millis(if (600..700).contains(&n) { 500 } else { 1 + n % 10 });
    let latencies: Latencies = (0..2_200).map(|n| (start + millis(10 * n), took(n))).collect();
    assert_eq!(latencies.usual_p99(), millis(10));
    assert_eq!((latencies.share(0.99), latencies.share(0.5)), (millis(500), millis(6)));
    let stall = latencies.within(start + millis(6_000)..start + millis(7_000));
    assert_eq!((stall.0.len(), stall.usual_p99()), (100, millis(500)));
    assert_eq!(stall.and(latencies).0.len(), 2_300);
    assert_eq!(Latencies::default().usual_p99(), Duration::ZERO);
}
