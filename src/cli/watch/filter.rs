//! `--filter key=value[,value...]`, as a person writes it.

use crate::cli::values::stage;
use crate::proto::{ChangeOrigin, Stage, WatchFilter};

const KEYS: &str = "lead=, agent=, from-stage=, to-stage= and origin=";

/// What one `--filter` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Leads(Vec<String>),
    Agents(Vec<String>),
    FromStages(Vec<Stage>),
    ToStages(Vec<Stage>),
    Origin(ChangeOrigin),
}

/// Reads one `--filter`.
///
/// # Errors
/// What is wrong, and what is allowed.
pub fn part(text: &str) -> Result<Part, String> {
    let (key, values) = text.split_once('=').ok_or_else(|| format!("must be KEY=VALUE; the keys are {KEYS}"))?;
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    if values.contains(&"") {
        return Err(format!("{key}= lacks a value"));
    }
    let texts = || values.iter().map(|value| (*value).to_owned()).collect();
    let stages = || values.iter().map(|value| stage(value)).collect::<Result<Vec<_>, _>>();
    match key.trim().to_ascii_lowercase().replace('_', "-").as_str() {
        "lead" => Ok(Part::Leads(texts())),
        "agent" => Ok(Part::Agents(texts())),
        "from-stage" => Ok(Part::FromStages(stages()?)),
        "to-stage" => Ok(Part::ToStages(stages()?)),
        "origin" => origin(&values).map(Part::Origin),
        _ => Err(format!("there is no key {key:?}; the keys are {KEYS}")),
    }
}

fn origin(values: &[&str]) -> Result<ChangeOrigin, String> {
    let wrong = || "origin= must be manual (a person's override) or automatic (all else)".to_owned();
    let [value] = values else { return Err(wrong()) };
    match value.to_ascii_lowercase().trim_start_matches("change_origin_") {
        "manual" => Ok(ChangeOrigin::Manual),
        "automatic" => Ok(ChangeOrigin::Automatic),
        _ => Err(wrong()),
    }
}

/// The filter of all parts. Values of one key add up.
///
/// # Errors
/// If the parts contradict each other.
pub fn filter(parts: &[Part]) -> Result<WatchFilter, String> {
    let mut filter = WatchFilter::default();
    for part in parts {
        match part {
            Part::Leads(leads) => filter.lead_ids.extend_from_slice(leads),
            Part::Agents(agents) => filter.agent_ids.extend_from_slice(agents),
            Part::FromStages(stages) => add(&mut filter.from_stages, stages),
            Part::ToStages(stages) => add(&mut filter.to_stages, stages),
            Part::Origin(origin) if ![ChangeOrigin::Unspecified, *origin].contains(&filter.origin()) => {
                return Err("--filter: origin= is both manual and automatic: leave it out to see both".into());
            }
            Part::Origin(origin) => filter.set_origin(*origin),
        }
    }
    Ok(filter)
}

fn add(codes: &mut Vec<i32>, stages: &[Stage]) {
    for code in stages.iter().map(|stage| *stage as i32) {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_with_or_without_prefix_in_any_case() {
        for text in ["to-stage=WON,bad_phone", "to_stage=STAGE_WON,STAGE_BAD_PHONE", "To-Stage=won, stage_bad-phone"] {
            assert_eq!(part(text), Ok(Part::ToStages(vec![Stage::Won, Stage::BadPhone])), "{text}");
        }
        for text in ["origin=manual", "ORIGIN=CHANGE_ORIGIN_MANUAL"] {
            assert_eq!(part(text), Ok(Part::Origin(ChangeOrigin::Manual)), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_names_what_is_allowed() {
        let cases = [
            ("won", "the keys are lead=, agent="),
            ("stage=WON", "there is no key \"stage\"; the keys are lead="),
            ("to-stage=WON,WOM", "there is no stage \"WOM\"; the stages are NEW, CONTACTED,"),
            ("from-stage=UNSPECIFIED", "there is no stage"),
            ("lead=", "lacks a value"),
            ("lead=a,,b", "lacks a value"),
            ("origin=robot", "manual (a person's override) or automatic"),
            ("origin=manual,automatic", "manual (a person's override) or automatic"),
        ];
        for (text, words) in cases {
            let error = part(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn values_of_one_key_add_up() {
        let parts = ["lead=a", "lead=b,c", "from-stage=new", "from-stage=NEW,won", "origin=manual", "origin=manual"];
        let parts: Vec<Part> = parts.iter().map(|text| part(text).expect("right")).collect();
        let found = filter(&parts).expect("no contradiction");
        assert_eq!(found.lead_ids, ["a", "b", "c"]);
        assert_eq!(found.from_stages, [Stage::New as i32, Stage::Won as i32]);
        assert_eq!(found.origin(), ChangeOrigin::Manual);
        let both = [Part::Origin(ChangeOrigin::Manual), Part::Origin(ChangeOrigin::Automatic)];
        assert!(filter(&both).is_err());
    }
}
