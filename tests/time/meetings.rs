//! Meetings that end: the service applies MEETING_TIME_PASSED, once.

use crate::support::checker::check;
use crate::support::cluster::fresh_database;
use crate::support::folder::Folder;
use crate::support::process::Process;
use crate::support::requests::{applied, booked, created, history, lead, overridden, trigger};
use crate::support::server::{Client, Database, replica_of, server_on, server_with};
use crate::support::wait::{eventually, within};
use lead_pipeline::proto::trigger::Kind;
use lead_pipeline::proto::{ActorKind, Meeting, MeetingCancelled, Outcome, OverrideStageRequest, Stage};

const FAST: &str = "--timer-interval=5ms";

/// A meeting that begins and ends so many seconds from a time.
pub fn meeting(id: &str, now: i64, starts_in: i64, ends_in: i64) -> Meeting {
    let at = |seconds| Some(crate::support::requests::time(now + seconds));
    Meeting { meeting_id: id.into(), starts_at: at(starts_in), ends_at: at(ends_in) }
}

pub async fn scheduled(client: &mut Client, lead_id: &str, meeting: Meeting) {
    created(client, lead_id).await;
    overridden(client, lead_id, Stage::Qualified).await;
    assert_eq!(applied(client, lead_id, booked(meeting)).await.stage(), Stage::Scheduled);
}

async fn in_stage(client: &mut Client, lead_id: &str, stage: Stage) {
    eventually(&format!("{lead_id} in {stage:?}"), async || {
        (lead(client, lead_id).await.stage() == stage).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_meeting_that_ends_completes_once_with_two_replicas() {
    let server = server_with(&[FAST]).await;
    let replica = replica_of(&server).await;
    let mut database = server.database().await;
    let mut client = replica.client();
    let now = database.time().await;
    for number in 0..20 {
        scheduled(&mut client, &format!("lead-{number}"), meeting("m", now, 60, 3600)).await;
    }
    database.move_time(3500).await;
    assert_eq!(lead(&mut client, "lead-0").await.stage(), Stage::Scheduled, "it hasn't ended");
    database.move_time(200).await;
    for number in 0..20 {
        let lead_id = format!("lead-{number}");
        in_stage(&mut client, &lead_id, Stage::MeetingCompleted).await;
        let changes = history(&mut client, &lead_id).await;
        assert_eq!(changes.len(), 4, "once: {changes:?}");
        let actor = changes[3].actor.clone().expect("an actor");
        assert_eq!((actor.kind(), actor.id.as_str()), (ActorKind::System, "lead-pipeline"));
    }
    check(server.database_url()).await;
}

#[tokio::test]
async fn a_meeting_that_ended_while_all_servers_were_down_completes() {
    let server = server_with(&[FAST]).await;
    let url = server.database_url().to_owned();
    let mut database = server.database().await;
    let now = database.time().await;
    scheduled(&mut server.client(), "lead-1", meeting("m", now, 60, 3600)).await;
    server.stop().await;
    database.move_time(86_400).await;
    let server = server_on(&url, &[FAST]).await;
    in_stage(&mut server.client(), "lead-1", Stage::MeetingCompleted).await;
    check(&url).await;
}

#[tokio::test]
async fn a_meeting_that_is_over_completes_at_once() {
    let server = server_with(&[FAST]).await;
    let mut client = server.client();
    let now = server.database().await.time().await;
    scheduled(&mut client, "lead-1", meeting("m", now, -7200, -3600)).await;
    in_stage(&mut client, "lead-1", Stage::MeetingCompleted).await;
    created(&mut client, "lead-2").await;
    let request = OverrideStageRequest {
        meeting: Some(meeting("m", now, -7200, -3600)),
        ..crate::support::requests::override_to("lead-2", Stage::Scheduled)
    };
    client.override_stage(request).await.expect("an override");
    in_stage(&mut client, "lead-2", Stage::MeetingCompleted).await;
    assert_eq!(lead(&mut client, "lead-2").await.meeting.map(|meeting| meeting.meeting_id).as_deref(), Some("m"));
    check(server.database_url()).await;
}

#[tokio::test]
async fn what_came_before_its_end_counts() {
    let server = server_with(&[FAST]).await;
    let (mut client, mut database) = (server.client(), server.database().await);
    let now = database.time().await;
    for lead_id in ["later", "sooner", "cancelled", "none", "dead", "other"] {
        scheduled(&mut client, lead_id, meeting("m", now, 60, 3600)).await;
    }
    let same = client.apply_trigger(trigger("later", booked(meeting("n", now, 60, 7200)))).await.expect("accepted");
    assert_eq!(same.into_inner().outcome(), Outcome::NoChange, "a reschedule");
    applied(&mut client, "sooner", booked(meeting("m", now, 60, 1800))).await;
    let cancel = |id: &str| Kind::MeetingCancelled(MeetingCancelled { meeting_id: id.into() });
    assert_eq!(applied(&mut client, "cancelled", cancel("m")).await.stage(), Stage::Engaged);
    assert_eq!(applied(&mut client, "other", cancel("x")).await.stage(), Stage::Scheduled, "not its meeting");
    assert_eq!(overridden(&mut client, "none", Stage::Scheduled).await.meeting, None);
    applied(&mut client, "dead", crate::support::requests::opted_out()).await;
    overridden(&mut client, "dead", Stage::Scheduled).await;
    assert_eq!(database.number("select count(*) from leads where timer_at is not null").await, 3);
    database.move_time(1900).await;
    in_stage(&mut client, "sooner", Stage::MeetingCompleted).await;
    assert_eq!(lead(&mut client, "other").await.stage(), Stage::Scheduled);
    database.move_time(1800).await;
    in_stage(&mut client, "other", Stage::MeetingCompleted).await;
    assert_eq!(lead(&mut client, "later").await.stage(), Stage::Scheduled, "it was put off");
    database.move_time(3600).await;
    in_stage(&mut client, "later", Stage::MeetingCompleted).await;
    for (lead_id, stage) in [("cancelled", Stage::Engaged), ("none", Stage::Scheduled), ("dead", Stage::Scheduled)] {
        assert_eq!(lead(&mut client, lead_id).await.stage(), stage, "{lead_id}");
    }
    assert_eq!(database.number("select count(*) from leads where timer_at is not null").await, 0, "nothing is left");
    check(server.database_url()).await;
}

/// Adds an hour to the time of day of the program that it is loaded into.
const AN_HOUR_AHEAD: &str = r"
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int result = syscall(SYS_clock_gettime, clock, at);
    if (clock == CLOCK_REALTIME) at->tv_sec += 3600;
    return result;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
";

/// The library, in a folder.
async fn an_hour_ahead(folder: &Folder) -> String {
    let (source, library) = (folder.path().join("ahead.c"), folder.path().join("ahead.so"));
    std::fs::write(&source, AN_HOUR_AHEAD).expect("written");
    let mut compiler = tokio::process::Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let output = within("the compiler", compiler.output()).await.expect("cc is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library.to_str().expect("a plain path").to_owned()
}

/// The database's time decides, whatever the machine of a replica thinks.
#[tokio::test]
async fn a_replica_whose_clock_is_an_hour_ahead_does_nothing_early() {
    let url = fresh_database().await;
    let folder = Folder::new().expect("a folder");
    let library = an_hour_ahead(&folder).await;
    let mut ahead =
        Process::spawn_with(&url, &["--listen=127.0.0.1:0", "--testing", FAST], &[("LD_PRELOAD", &library)]);
    ahead.serves().await;
    let mut database = Database::connect(&url).await;
    let (now, start) = (database.time().await, super::moment(&mut database).await);
    let mut client = ahead.client();
    let made =
        client.create_lead(lead_pipeline::proto::CreateLeadRequest::default()).await.expect("created").into_inner();
    let made_at = made.lead.and_then(|lead| lead.created_at);
    // The ids that it makes begin with its time, in milliseconds.
    let id = uuid::Uuid::parse_str(&made.request_id).expect("a UUID").as_u128() >> 80;
    assert!(id as i64 / 1000 > now + 3000, "it has the wrong time");
    scheduled(&mut client, "lead-1", meeting("m", now, 60, 3000)).await;
    scheduled(&mut client, "lead-2", meeting("m", now, -60, 600)).await;
    let (began, scheduled_at) =
        (super::time_of(made_at), super::time_of(lead(&mut client, "lead-1").await.stage_entered_at));
    assert!(
        (start..=super::moment(&mut database).await).contains(&began) && began < scheduled_at,
        "the database's time"
    );
    database.move_time(700).await;
    in_stage(&mut client, "lead-2", Stage::MeetingCompleted).await;
    assert_eq!(lead(&mut client, "lead-1").await.stage(), Stage::Scheduled, "its clock says that it is over");
    // An early trigger is refused by the database's time too.
    let passed = Kind::MeetingTimePassed(lead_pipeline::proto::MeetingTimePassed { meeting_id: "m".into() });
    scheduled(&mut client, "lead-3", meeting("m", now, 2000, 3000)).await;
    crate::support::errors::failed(client.apply_trigger(trigger("lead-3", passed)).await)
        .is(tonic::Code::FailedPrecondition, "MEETING_NOT_STARTED");
    database.move_time(2400).await;
    in_stage(&mut client, "lead-1", Stage::MeetingCompleted).await;
    let last = history(&mut client, "lead-1").await.pop().and_then(|change| change.recorded_at).expect("a time");
    assert!(super::time_of(Some(last)) <= super::moment(&mut database).await, "not in the database's future");
    check(&url).await;
}
