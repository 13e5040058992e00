//! Reads see every change that any replica acknowledged before they began.

use crate::support::checker::check;
use crate::support::requests::{applied, created, history, lead, message_sent, overridden};
use crate::support::server::{Client, replica_of, server};
use lead_pipeline::proto::{ExplainLeadRequest, Lead, ListLeadsRequest, Stage};

/// Every read shows the lead as it was acknowledged.
async fn assert_reads(reader: &mut Client, written: &Lead) {
    assert_eq!(&lead(reader, "lead-1").await, written);
    let list = reader.list_leads(ListLeadsRequest::default()).await.expect("listed").into_inner();
    assert_eq!(list.leads, std::slice::from_ref(written));
    let request = ExplainLeadRequest { lead_id: "lead-1".into() };
    let explained = reader.explain_lead(request).await.expect("explained").into_inner();
    assert_eq!(explained.lead.as_ref(), Some(written));
    let last = history(reader, "lead-1").await.pop().expect("an entry");
    assert_eq!((last.version, last.to_stage), (written.version, written.stage));
}

#[tokio::test]
async fn every_read_on_one_replica_sees_what_another_acknowledged() {
    let one = server().await;
    let other = replica_of(&one).await;
    let (mut writer, mut reader) = (one.client(), other.client());
    let written = created(&mut writer, "lead-1").await;
    assert_reads(&mut reader, &written).await;
    for turn in 0..20 {
        let stage = if turn % 2 == 0 { Stage::Nurture } else { Stage::Engaged };
        let written = overridden(&mut writer, "lead-1", stage).await;
        assert_reads(&mut reader, &written).await;
        // The other's memory of the lead is old: its write is decided on what is stored.
        let written = applied(&mut reader, "lead-1", message_sent()).await;
        assert_eq!(written.stage(), stage);
        assert_reads(&mut writer, &written).await;
        std::mem::swap(&mut writer, &mut reader);
    }
    check(one.database_url()).await;
}
