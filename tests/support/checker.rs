//! Checks a whole database after the fact, with the program's own checker: what must hold of every history, whatever
//! happened on the way. That the checker finds what is wrong is shown in `verifying`.

use lead_pipeline::admin::verify::{Report, Rules, verify};

/// As the servers of the tests are set.
pub const RULES: Rules = Rules { failures_until_bad: 3 };

/// Findings that are shown.
const SHOWN: usize = 20;

/// What a sound database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
    pub leads: i64,
    pub entries: i64,
}

/// Fails unless everything in the database is as it must be.
pub async fn check(url: &str) -> Sound {
    let report = verify(url, &[], RULES, Report::new(SHOWN)).await.expect("the database can be checked");
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
    Sound { leads: report.counts.leads as i64, entries: report.counts.entries as i64 }
}
