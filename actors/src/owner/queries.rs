//! Operators' queries and commands: what the ledger knows, and what only its shell does.

use actix::{Handler, MessageResult};
use arpherd_core::view::{Command, Query, Response, StatusView};
use arpherd_core::{Fact, Operator, SegmentId, Tables};

use super::RouteOwner;
use crate::messages::{QueryResult, RunCommand, RunQuery};

/// Hosts of one part of a table: about a millisecond's work among 65,536.
const PART: usize = 2048;

impl RouteOwner {
    fn segments(&self) -> Response {
        let mut views = self.ledger.segment_views();
        let numbered = (0..).map(SegmentId).zip(self.dispatcher.sinks());
        let served = numbered.filter_map(|(id, sinks)| Some((id, sinks.as_ref()?)));
        for (view, (id, sinks)) in views.iter_mut().zip(served) {
            view.counters = view.counters + sinks.counters.view();
            if let Some(dhcp) = &mut view.measured.dhcp {
                *dhcp = sinks.counters.dhcp.view();
            }
            self.show_in_kernel(id, view);
            view.measured.latency = self.latency.as_ref().and_then(|latency| latency.view(id));
        }
        Response::Segments(views)
    }
}

impl Handler<RunQuery> for RouteOwner {
    type Result = MessageResult<RunQuery>;

    fn handle(&mut self, RunQuery { query, after }: RunQuery, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        let tables = Tables::of(&self.ledger);
        let mut last = None;
        let response = match query {
            Query::Status => {
                let uptime_seconds = now.since(self.started).as_secs();
                Response::Status(StatusView {
                    uptime_seconds,
                    ready: self.is_ready,
                    packets: self.cover_counters.as_ref().map(|it| it.view()).unwrap_or_default(),
                    ..self.ledger.status_view()
                })
            }
            Query::Segments => self.segments(),
            Query::Hosts => {
                let part = tables.hosts(now, after, PART);
                last = part.last;
                Response::Hosts(part.rows)
            }
            Query::Routes => {
                let part = tables.routes(after, PART);
                last = part.last;
                Response::Routes(part.rows)
            }
            Query::Leases => Response::Leases(tables.leases(now)),
            Query::Explain(query) => {
                Response::Explain(self.ledger.explain(now, query.address, query.from.as_deref()))
            }
            Query::Probed(address) => Response::Probed(Operator::of(&self.ledger).probed(now, address)),
        };
        MessageResult(QueryResult { response, last })
    }
}

impl Handler<RunCommand> for RouteOwner {
    type Result = MessageResult<RunCommand>;

    fn handle(&mut self, RunCommand(command): RunCommand, ctx: &mut Self::Context) -> Self::Result {
        let now = self.clock.now();
        MessageResult(match command {
            Command::Probe(address) => {
                self.take_at_once(vec![Fact::ProbeRequested { address }], ctx);
                Response::Probed(Operator::of(&self.ledger).probed(now, address))
            }
            Command::Forget(address) => {
                let judged = Operator::of(&self.ledger).judge_forget(now, address);
                self.take_at_once(vec![Fact::ForgetRequested { address }], ctx);
                Response::Forgotten(judged)
            }
            Command::Wake(sleeper) => {
                let judged = Operator::of(&self.ledger).judge_wake(sleeper);
                self.take_at_once(vec![Fact::WakeRequested { sleeper }], ctx);
                Response::Woken(judged)
            }
            Command::Role(command) => {
                let judged = Operator::of(&self.ledger).judge_role(&command);
                let obeys = judged.iter().filter(|(_, row)| row.outcome == "ordered");
                let role = command.role;
                let facts = obeys.map(|(domain, _)| Fact::RoleOrdered { domain: *domain, role });
                self.take_at_once(facts.collect(), ctx);
                Response::Roles(judged.into_iter().map(|(_, row)| row).collect())
            }
        })
    }
}
