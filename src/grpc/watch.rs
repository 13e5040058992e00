//! The stream of changes, from the watcher to the wire; and the list of those who watch.

use super::EncodedResponse;
use super::check::Check;
use super::service::Calls;
use super::{page, parse, render, status};
use crate::domain::Stage;
use crate::proto;
use crate::watch::{Client, Coverage, Filter, Notice, Origin, Response, Watcher, WatcherState};
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tonic::{Request, Status};

/// Characters of a client's name that are kept.
const NAME_CHARACTERS: usize = 100;

pub async fn watch_stage_changes(
    calls: &Calls,
    request: Request<proto::WatchStageChangesRequest>,
) -> Result<BoxStream<'static, Result<EncodedResponse, Status>>, Status> {
    let client = client(&request);
    let request = parse::watch(request.into_inner(), calls.settings.checkpoint_interval, client)
        .map_err(|wrong| status::invalid(wrong, None))?;
    let stop = calls.going_away.clone();
    let watcher = Watcher::start(&calls.hub, request, stop).await.map_err(|error| status::watch(&error))?;
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

/// Who asks: the connection's other end, and the name that the client gives itself.
fn client<T>(request: &Request<T>) -> Client {
    let header = |key| request.metadata().get(key).and_then(|value| value.to_str().ok());
    let name = header("client-name").or_else(|| header("user-agent")).unwrap_or_default();
    Client {
        peer: request.remote_addr().map(|address| address.to_string()).unwrap_or_default(),
        name: name.chars().take(NAME_CHARACTERS).collect(),
    }
}

fn encoded(response: Response) -> EncodedResponse {
    let notice = match response.notice {
        None => proto::Notice::Unspecified,
        Some(Notice::CaughtUp) => proto::Notice::CaughtUp,
        Some(Notice::FellBehind) => proto::Notice::FellBehind,
        Some(Notice::GoingAway) => proto::Notice::GoingAway,
        Some(Notice::SnapshotComplete) => proto::Notice::SnapshotComplete,
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
            leads: response.leads.iter().map(render::lead).collect(),
        },
    }
}

pub fn list_watchers(
    calls: &Calls,
    request: &proto::ListWatchersRequest,
) -> Result<proto::ListWatchersResponse, Status> {
    let mut check = Check::default();
    let limit = check.page_size(request.page_size, calls.settings.page_default, calls.settings.page_max);
    let limit = check.done(limit).map_err(|wrong| status::invalid(wrong, None))? as usize;
    // The numbers are this replica's own.
    let list = format!("watchers of {}", calls.hub.origin());
    let after = match request.page_token.as_str() {
        "" => 0,
        token => {
            let id = page::key(&list, token).and_then(|key| key.parse().ok());
            id.ok_or_else(|| status::page_token(token))?
        }
    };
    // One more than the page shows whether there is another page.
    let all: Vec<proto::Watcher> = calls.hub.watchers(after, limit + 1).into_iter().map(rendered).collect();
    let mut bytes = 0;
    let fits = |watcher: &&proto::Watcher| {
        // The first fits always.
        let fits = bytes < calls.settings.page_bytes;
        bytes += watcher.encoded_len();
        fits
    };
    let watchers: Vec<proto::Watcher> = all.iter().take(limit).take_while(fits).cloned().collect();
    let last = watchers.last().filter(|_| watchers.len() < all.len());
    let next_page_token = last.map(|watcher| page::token(&list, &watcher.id.to_string())).unwrap_or_default();
    Ok(proto::ListWatchersResponse { watchers, next_page_token })
}

fn rendered(watcher: WatcherState) -> proto::Watcher {
    let position = |(partition, position)| proto::WatcherPosition { partition, position };
    proto::Watcher {
        id: watcher.id,
        peer: watcher.client.peer,
        client_name: watcher.client.name,
        include_unchanged: watcher.filter.unchanged,
        filter: Some(filter(&watcher.filter)),
        positions: watcher.positions.into_iter().map(position).collect(),
        behind: watcher.behind,
        since: Some(render::timestamp(watcher.since)),
        slow: watcher.slow,
    }
}

fn filter(filter: &Filter) -> proto::WatchFilter {
    let stages = |stages: &std::collections::BTreeSet<Stage>| stages.iter().map(|stage| stage.code().into()).collect();
    let origin = match filter.origin {
        None => proto::ChangeOrigin::Unspecified,
        Some(Origin::Manual) => proto::ChangeOrigin::Manual,
        Some(Origin::Automatic) => proto::ChangeOrigin::Automatic,
    };
    proto::WatchFilter {
        lead_ids: filter.leads.iter().map(ToString::to_string).collect(),
        agent_ids: filter.agents.iter().map(ToString::to_string).collect(),
        from_stages: stages(&filter.from),
        to_stages: stages(&filter.to),
        origin: origin.into(),
    }
}
