//! `docs/state-machine.md`: drawn from the table, and committed. `UPDATE_DOCS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use lead_pipeline::domain::{
    Outcome, RefusalKind, Stage, StageKind, Transition, TransitionResult, TriggerKind, transitions,
};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/state-machine.md");

const HEAD: &str = "# The state machine

<!-- Made from the transition table by a test. Change the table in src/domain/table.rs, then run:
     UPDATE_DOCS=1 cargo test --test it domain::document -->

What becomes of a lead is decided by one table, `src/domain/table.rs`, and this page is made from it. The table holds
for triggers; a person can set any stage from any stage (OverrideStage). A dead lead refuses every trigger but
`opted_out`, `blocklisted` and `not_interested`, which may raise its mark and leave its stage.

## The picture

A trigger with a question mark makes this move only under a condition, which stands below the table.
";

const TABLE_HEAD: &str = "
## The table

A cell says which stage the lead enters. *same* is accepted and recorded, and the stage stays; a dash is refused, and
nothing is recorded; a number is a note below. The end stages are alike: they share a column.

";

const NOTES_HEAD: &str = "
Of a note the first line that holds applies; *now* is with the changes made that the next section tells.

";

const MARKS_HEAD: &str = "
## What a trigger changes beside the stage

The same in every stage that accepts it, also where the stage stays. Besides, whatever the trigger or the override:

- A lead that leaves SCHEDULED, other than to MEETING_COMPLETED, loses its meeting.
- The furthest stage on the line NEW ... MEETING_COMPLETED, WON is kept.
- A change of stage ends the follow-up; from EXHAUSTED to CONTACTED one is due at once, entering NURTURE one is due
  after the check-in interval. `message_sent` finishes one too, and in NURTURE begins the next interval. A dead lead
  has none.

";

const STAGES_HEAD: &str = "
## The stages

";

/// The whole page.
fn page() -> String {
    let (table, notes) = table();
    let parts =
        [HEAD, &picture(), TABLE_HEAD, &table, NOTES_HEAD, &notes, MARKS_HEAD, &marks(), STAGES_HEAD, &stages()];
    parts.concat()
}

/// The stages that are no end.
fn open_stages() -> impl Iterator<Item = Stage> {
    Stage::ALL.iter().copied().filter(|stage| stage.kind() != StageKind::End)
}

/// The moves as Mermaid. A move that every stage has that is no end is drawn once, from the box around them.
fn picture() -> String {
    let mut starts: BTreeMap<(Stage, TriggerKind, bool), Vec<Stage>> = BTreeMap::new();
    for (from, to, trigger, conditional) in transitions().flat_map(moves) {
        let starts = starts.entry((to, trigger, conditional)).or_default();
        if !starts.contains(&from) {
            starts.push(from);
        }
    }
    let mut edges: BTreeMap<(Option<Stage>, Stage), Vec<String>> = BTreeMap::new();
    for ((to, trigger, conditional), starts) in starts {
        let label = format!("{trigger}{}", if conditional { "?" } else { "" });
        let everywhere = starts.len() == open_stages().count();
        let starts = if everywhere { vec![None] } else { starts.into_iter().map(Some).collect() };
        for from in starts {
            edges.entry((from, to)).or_default().push(label.clone());
        }
    }
    let draw = |inside: bool| -> String {
        let drawn = edges.iter().filter(|((from, _), _)| from.is_some() == inside);
        let line = |((from, to), labels): (&(Option<Stage>, Stage), &Vec<String>)| {
            let (indent, from) = from.map_or(("    ", "not_ended"), |from| ("        ", from.name()));
            format!("{indent}{from} --> {to} : {}\n", labels.join(", "))
        };
        drawn.map(line).collect::<Vec<_>>().concat()
    };
    format!(
        "\n```mermaid\nstateDiagram-v2\n    state \"not an end\" as not_ended {{\n        [*] --> NEW\n{}    }}\n{}```\n",
        draw(true),
        draw(false)
    )
}

/// The single moves of a transition: from, to, by what, and whether under a condition.
fn moves(transition: Transition) -> Vec<(Stage, Stage, TriggerKind, bool)> {
    let conditional = transition.results.len() > 1;
    let mut moves = Vec::new();
    for result in transition.results {
        if let Outcome::Moved(stages) = result.outcome {
            let mut from = transition.from;
            for to in stages {
                moves.push((from, *to, transition.trigger, conditional));
                from = *to;
            }
        }
    }
    moves
}

/// What can come of a trigger in these stages, told below the table.
struct Note {
    trigger: TriggerKind,
    stages: Vec<Stage>,
    results: &'static [TransitionResult],
}

/// The table of triggers and stages, and the notes that its cells refer to.
fn table() -> (String, String) {
    let columns: Vec<Stage> = open_stages().chain([Stage::Won]).collect();
    let names: Vec<&str> = open_stages().map(Stage::name).chain(["end"]).collect();
    let mut table = format!("| Trigger | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    let mut notes: Vec<Note> = Vec::new();
    for trigger in TriggerKind::ALL {
        let cells: Vec<String> = columns.iter().map(|from| cell(*from, *trigger, &mut notes)).collect();
        writeln!(table, "| `{trigger}` | {} |", cells.join(" | ")).expect("a string takes all");
    }
    let notes = notes.iter().enumerate().map(|(index, note)| told(index + 1, note));
    (table, notes.collect::<Vec<_>>().concat())
}

fn results(from: Stage, trigger: TriggerKind) -> &'static [TransitionResult] {
    let mut all = transitions();
    all.find(|transition| transition.from == from && transition.trigger == trigger)
        .expect("every pair is there")
        .results
}

/// The only outcome, or the number of the note that tells the outcomes.
fn cell(from: Stage, trigger: TriggerKind, notes: &mut Vec<Note>) -> String {
    let results = results(from, trigger);
    if let [only] = results {
        return outcome(only.outcome);
    }
    let known = notes.iter().position(|note| note.trigger == trigger && note.results == results);
    let index = known.unwrap_or_else(|| {
        notes.push(Note { trigger, stages: Vec::new(), results });
        notes.len() - 1
    });
    notes[index].stages.push(from);
    format!("({})", index + 1)
}

fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Moved(stages) => stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(", then "),
        Outcome::Same => "same".to_owned(),
        Outcome::Refused(RefusalKind::TriggerNotAllowed) => "–".to_owned(),
        Outcome::Refused(kind) => format!("refused ({kind})"),
    }
}

fn told(number: usize, note: &Note) -> String {
    let stages = if note.stages.iter().copied().eq(open_stages()) {
        "every stage that is no end".to_owned()
    } else {
        note.stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("- ({number}) `{}` in {stages}:\n", note.trigger);
    for result in note.results {
        let outcome = outcome(result.outcome);
        let line = match result.condition {
            Some(condition) => format!("{outcome} if {}", condition.words()),
            None => format!("else {outcome}"),
        };
        writeln!(text, "  - {line}").expect("a string takes all");
    }
    text
}

fn marks() -> String {
    let mut text = "| Trigger | Meaning | Changes |\n|---|---|---|\n".to_owned();
    for trigger in TriggerKind::ALL {
        writeln!(text, "| `{trigger}` | {} | {} |", trigger.meaning(), trigger.marks()).expect("a string takes all");
    }
    text
}

fn stages() -> String {
    let mut text = "| Stage | Kind | Meaning | Conversation mode |\n|---|---|---|---|\n".to_owned();
    for stage in Stage::ALL {
        let mode = stage.conversation_mode(None);
        writeln!(text, "| {stage} | {} | {} | {mode} |", stage.kind(), stage.meaning()).expect("a string takes all");
    }
    text
}

#[test]
fn the_committed_page_is_the_tables() {
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &page).expect("docs/ can be written");
    }
    let committed = std::fs::read_to_string(PATH).expect("docs/state-machine.md is committed");
    assert!(committed == page, "docs/state-machine.md differs from the table: write it anew with UPDATE_DOCS=1");
}

#[test]
fn the_end_stages_share_their_column() {
    for stage in Stage::ALL.iter().filter(|stage| stage.kind() == StageKind::End) {
        for trigger in TriggerKind::ALL {
            assert_eq!(results(*stage, *trigger), results(Stage::Won, *trigger), "{trigger} in {stage}");
        }
    }
}
