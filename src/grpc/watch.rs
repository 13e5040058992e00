//! The stream of changes, from the watcher to the wire.

use super::EncodedResponse;
use super::service::Calls;
use super::{parse, status};
use crate::proto;
use crate::watch::{Coverage, Notice, Response, Watcher};
use futures::stream::{self, BoxStream, StreamExt};
use tonic::Status;

pub async fn watch_stage_changes(
    calls: &Calls,
    request: proto::WatchStageChangesRequest,
) -> Result<BoxStream<'static, Result<EncodedResponse, Status>>, Status> {
    let watch =
        parse::watch(request, calls.settings.checkpoint_interval).map_err(|wrong| status::invalid(wrong, None))?;
    let stop = calls.going_away.clone();
    let watcher = Watcher::start(&calls.hub, watch.start, watch.filter, watch.interval, stop)
        .await
        .map_err(|error| status::watch(&error))?;
    // The stream is the watcher: it asks for the next response when the connection has room for one.
    let responses = stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match watcher.next().await {
            Ok(response) => Some((Ok(encoded(response)), Some(watcher))),
            Err(error) => Some((Err(status::watch(&error)), None)),
        }
    });
    Ok(responses.boxed())
}

fn encoded(response: Response) -> EncodedResponse {
    let notice = match response.notice {
        None => proto::Notice::Unspecified,
        Some(Notice::CaughtUp) => proto::Notice::CaughtUp,
        Some(Notice::FellBehind) => proto::Notice::FellBehind,
        Some(Notice::GoingAway) => proto::Notice::GoingAway,
    };
    let coverage = response.coverage.into_iter().map(|Coverage { partition, after, through }| proto::Coverage {
        partition,
        after,
        through,
    });
    EncodedResponse {
        changes: response.entries,
        rest: proto::WatchStageChangesResponse {
            changes: Vec::new(),
            coverage: coverage.collect(),
            cursor: response.cursor,
            notice: notice.into(),
            behind: response.behind,
            leads: Vec::new(),
        },
    }
}
