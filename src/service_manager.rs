//! What the service manager is told: sd_notify(3).

use std::env;
use std::sync::Arc;
use std::time::Duration;

use arpherd_core::view::{Query, Response, SegmentView};
use sd_notify::NotifyState;
use slog::{Logger, warn};

use crate::control::{ControlQuery, ControlResponse, QueryHandler};

/// Time between two status texts.
const PACE: Duration = Duration::from_secs(2);

/// Tells the service manager, if there is one.
pub(crate) fn notify(log: &Logger, state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(log, "service_manager_not_notified"; "error" => %error);
    }
}

/// Keeps the status text of the service manager, which `systemctl status` shows.
pub(crate) struct StatusText {
    handler: Option<Arc<dyn QueryHandler>>,
    log: Logger,
    /// What was told last.
    told: String,
    /// The error of the last reload, if it was refused.
    refused: Option<String>,
    ticks: tokio::time::Interval,
}

impl StatusText {
    /// A text of what `handler` answers; nothing is asked and told if there is no service manager.
    pub(crate) fn new(handler: Arc<dyn QueryHandler>, log: &Logger) -> Self {
        let handler = env::var_os("NOTIFY_SOCKET").map(|_| handler);
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { handler, log: log.clone(), told: String::new(), refused: None, ticks }
    }

    /// Waits until it may be time for another text; for ever if there is no service manager.
    pub(crate) async fn tick(&mut self) {
        match &self.handler {
            Some(_) => drop(self.ticks.tick().await),
            None => std::future::pending().await,
        }
    }

    /// Tells the service manager how things are, if that has changed. It costs the route owner one view of each segment.
    pub(crate) async fn refresh(&mut self) {
        let Some(handler) = &self.handler else { return };
        let query = ControlQuery::State(Query::Segments);
        let Ok(ControlResponse::State(Response::Segments(rows))) = Arc::clone(handler).handle(query).await
        else {
            return;
        };
        let text = text(&rows, self.refused.as_deref());
        if text != self.told {
            notify(&self.log, &[NotifyState::Status(&text)]);
            self.told = text;
        }
    }

    /// Notes how a reload ended.
    pub(crate) fn set_refused(&mut self, refused: Option<String>) {
        self.refused = refused;
    }
}

/// A line for people; segments that are not up come with what they are.
fn text(segments: &[SegmentView], refused: Option<&str>) -> String {
    let hosts: u64 = segments.iter().map(|it| it.hosts).sum();
    let others: Vec<String> = segments
        .iter()
        .filter(|it| it.state != "up")
        .map(|it| format!("{}: {}", it.segment, it.state))
        .collect();
    let (up, all) = (segments.len() - others.len(), segments.len());
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let mut text = if others.is_empty() {
        format!("{up} segment{} up", plural(up))
    } else {
        // A status line is one line of a terminal: of many the first say enough.
        let more = others.len().saturating_sub(4);
        let named = others.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{up} of {all} segment{} up ({named}{more})", plural(all))
    };
    text.push_str(&format!(", {hosts} host{}", if hosts == 1 { "" } else { "s" }));
    if let Some(refused) = refused {
        text.push_str("; last reload refused: ");
        text.extend(refused.lines().next().unwrap_or_default().chars().take(200));
    }
    text
}
