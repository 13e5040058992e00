//! What was measured, round by round, and what it comes to.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Throughput and latency of one measurement.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub per_s: f64,
    pub p50: Duration,
    pub p99: Duration,
}

impl Measured {
    /// Of things that took so long each, in `time`.
    pub fn of(mut took: Vec<Duration>, time: Duration) -> Self {
        took.sort_unstable();
        let share = |share: f64| {
            let place = (took.len() as f64 * share) as usize;
            took.get(place.min(took.len().saturating_sub(1))).copied().unwrap_or_default()
        };
        Self { per_s: took.len() as f64 / time.as_secs_f64(), p50: share(0.5), p99: share(0.99) }
    }
}

/// All figures by name, one value a round.
#[derive(Debug, Default)]
pub struct Board {
    figures: BTreeMap<String, Vec<f64>>,
    /// Nothing is measured but what begins like one of these; everything if empty.
    only: Vec<String>,
}

/// The values of a figure over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: usize,
}

impl Spread {
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Self { median, min, max, rounds: values.len() })
    }

    /// As JSON; null where nothing was measured.
    pub fn json(spread: Option<Self>) -> Value {
        let spread = spread.map(|s| (Some(s.median), Some(s.min), Some(s.max), s.rounds)).unwrap_or_default();
        let (median, min, max, rounds) = spread;
        json!({ "median": median, "min": min, "max": max, "rounds": rounds })
    }
}

impl Board {
    /// For what begins like one of these words.
    pub fn only(words: &str) -> Self {
        Self { only: words.split_whitespace().map(str::to_owned).collect(), ..Self::default() }
    }

    /// Whether this is to be measured.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only))
    }

    /// Notes a value.
    pub fn note(&mut self, name: &str, value: f64) {
        println!("    {name}: {}", shown(value));
        self.figures.entry(name.to_owned()).or_default().push(value);
    }

    /// Notes a measurement: `NAME per_s`, `NAME p50_ms`, `NAME p99_ms`.
    pub fn measured(&mut self, name: &str, measured: &Measured) {
        self.note(&format!("{name} per_s"), measured.per_s);
        self.note(&format!("{name} p50_ms"), measured.p50.as_secs_f64() * 1e3);
        self.note(&format!("{name} p99_ms"), measured.p99.as_secs_f64() * 1e3);
    }

    pub fn values(&self, name: &str) -> &[f64] {
        self.figures.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(self.values(name))
    }

    /// One figure over another, round by round.
    pub fn ratio(&self, over: &str, under: &str) -> Option<Spread> {
        Self::quotients(self.values(over), self.values(under))
    }

    /// One figure over the best of others, which is the one with the highest median, round by round.
    pub fn ratio_to_best(&self, over: &str, under: &[String]) -> Option<Spread> {
        self.ratio(over, self.best(under)?)
    }

    /// The same where `under` was measured several times a round, the last time just before `over`.
    pub fn ratio_of_last(&self, over: &str, under: &str) -> Option<Spread> {
        let (over, under) = (self.values(over), self.values(under));
        let each = under.len().checked_div(over.len())?;
        Self::quotients(over, &under.iter().copied().skip(each - 1).step_by(each).collect::<Vec<_>>())
    }

    /// The one with the highest median.
    pub fn best<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        let medians = names.iter().filter_map(|name| Some((name.as_str(), self.spread(name)?.median)));
        medians.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(name, _)| name)
    }

    fn quotients(over: &[f64], under: &[f64]) -> Option<Spread> {
        Spread::of(&over.iter().zip(under).map(|(over, under)| over / under).collect::<Vec<_>>())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.figures.keys().map(String::as_str)
    }
}

/// A figure for people.
pub fn shown(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[test]
fn figures_are_medians_and_ratios_are_taken_round_by_round() {
    let mut board = Board::default();
    for (ours, a, b) in [(30.0, 10.0, 8.0), (40.0, 20.0, 50.0), (50.0, 12.0, 9.0)] {
        board.note("ours", ours);
        board.note("a", a);
        board.note("b", b);
    }
    let best = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
    assert_eq!(board.best(&best), Some("a"));
    assert_eq!(board.spread("ours"), Some(Spread { median: 40.0, min: 30.0, max: 50.0, rounds: 3 }));
    assert_eq!(board.ratio_to_best("ours", &best).map(|s| (s.median, s.min)), Some((3.0, 2.0)));
    assert_eq!(board.ratio("ours", "c"), None);
    assert_eq!(Spread::json(None)["rounds"], 0);
    let measured = Measured::of((1..=200).map(Duration::from_millis).collect(), Duration::from_secs(2));
    assert_eq!(
        (measured.per_s, measured.p50, measured.p99),
        (100.0, Duration::from_millis(101), Duration::from_millis(199))
    );
}
