//! The snapshot of a stream: each lead as it was when it was sent, each once, and none left out.

use super::finding::{Kind, Report};
use super::fold::{Fold, Rules};
use super::ground::Ground;
use super::same::{Difference, lead_differs, lead_differs_from_entry};
use super::stream::Place;
use super::view::View;
use crate::proto::Lead;
use crate::store::{Entry, Histories, LeadThen, StoreError};
use std::collections::BTreeMap;

/// Rows of one read.
const PAGE: i64 = 1000;

/// Leads whose histories are read together.
const LEADS: usize = 100;

/// What a snapshot has told of a partition so far: kept until it is complete.
#[derive(Default)]
pub struct Filling {
    leads: BTreeMap<String, Told>,
}

/// What was told of a lead.
struct Told {
    version: i32,
    /// Whether it was sent as a lead; else a change of it came first.
    as_lead: bool,
}

impl Filling {
    /// Whether the snapshot has told of the lead.
    pub fn knows(&self, lead_id: &str) -> bool {
        self.leads.contains_key(lead_id)
    }

    /// A change was sent.
    pub fn saw(&mut self, entry: &Entry) {
        let told = self.leads.entry(entry.lead_id.to_string()).or_insert(Told { version: 0, as_lead: false });
        told.version = entry.version;
    }
}

/// Where leads of a snapshot are looked at.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    pub place: &'a str,
    pub view: &'a View,
    pub rules: Rules,
    pub partition: i32,
}

impl Page<'_> {
    /// Leads of one response, which are as they were at what the stream has covered of their partition.
    pub async fn check(self, known: &mut Place, leads: &[&Lead], ground: &mut Ground<'_>) -> Result<(), StoreError> {
        for lead in leads {
            if !self.view.concerns(&lead.lead_id, &lead.agent_id) || !self.view.holds(lead.stage) {
                ground.report.add(
                    Kind::ChangeUnasked,
                    self.of(&lead.lead_id),
                    "no lead that the filter drops",
                    "the lead",
                );
            }
            let Some(filling) = &mut known.filling else { continue };
            let told = Told { version: lead.version, as_lead: true };
            if filling.leads.insert(lead.lead_id.clone(), told).is_some_and(|before| before.as_lead) {
                ground.report.add(Kind::StreamDoubled, self.of(&lead.lead_id), "each lead once", "it again");
            }
        }
        for some in leads.chunks(LEADS) {
            self.compare(known.through, some, ground).await?;
        }
        Ok(())
    }

    fn of(&self, lead_id: &str) -> String {
        format!("{}, lead {lead_id}", self.place)
    }

    /// Compares leads with what their histories made of them.
    async fn compare(self, through: i64, leads: &[&Lead], ground: &mut Ground<'_>) -> Result<(), StoreError> {
        let ids: Vec<String> = leads.iter().map(|lead| lead.lead_id.clone()).collect();
        let mut folds: BTreeMap<String, Fold> = BTreeMap::new();
        let Some(past) = ground.past(self.partition) else { return Ok(()) };
        // What is wrong with the histories themselves was told when the leads were looked at.
        let mut told_before = Report::new(0);
        let mut key = (String::new(), 0);
        loop {
            let (partition, after) = (self.partition, (key.0.as_str(), key.1));
            let wanted = Histories { partition, after, through: None, only: Some(&ids), head: through };
            let page = ground.audit.histories(wanted, PAGE).await?;
            let last_page = page.len() < PAGE as usize;
            for entry in page.into_iter().flatten() {
                key = (entry.lead_id.to_string(), entry.version);
                let fold = folds.entry(entry.lead_id.to_string()).or_insert_with(|| Fold::new(self.rules));
                fold.push(entry, past, &mut told_before);
            }
            if last_page {
                break;
            }
        }
        for lead in leads {
            if let Some(difference) = differs(lead, folds.get(&lead.lead_id), past.head.floor.position) {
                ground.report.add(Kind::SnapshotDiffers, self.of(&lead.lead_id), difference.expected, difference.found);
            }
        }
        Ok(())
    }

    /// The snapshot is done with the partition: it has told of every lead that the filter lets through.
    pub async fn complete(self, filling: &Filling, through: i64, ground: &mut Ground<'_>) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = ground.audit.leads_then(self.partition, &after, through, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.lead_id);
            for lead in &page {
                self.check_told(lead, filling, ground.report);
            }
        }
    }

    fn check_told(&self, lead: &LeadThen, filling: &Filling, report: &mut Report) {
        if !self.view.concerns(&lead.lead_id, &lead.agent_id) || !self.view.holds(lead.stage.into()) {
            return;
        }
        let least = if self.view.unchanged { lead.version } else { lead.notable.unwrap_or_default() };
        match filling.leads.get(&lead.lead_id) {
            None => report.add(Kind::LeadMissing, self.of(&lead.lead_id), "the lead in the snapshot", "none"),
            Some(told) if told.version < least || told.version > lead.version => {
                let expected = format!("versions {least} to {}", lead.version);
                report.add(
                    Kind::SnapshotDiffers,
                    self.of(&lead.lead_id),
                    expected,
                    format_args!("version {}", told.version),
                );
            }
            Some(_) => {}
        }
    }
}

/// How a lead differs from what its entries made of it, as far as they are kept.
fn differs(lead: &Lead, fold: Option<&Fold>, floor: i64) -> Option<Difference> {
    match fold.map(|fold| (fold.lead(), fold.last())) {
        Some((Some(folded), _)) => lead_differs(lead, folded),
        Some((None, Some(last))) => lead_differs_from_entry(lead, last),
        _ if floor > 0 => None,
        _ => Some(Difference { expected: "no such lead".into(), found: format!("version {}", lead.version) }),
    }
}
