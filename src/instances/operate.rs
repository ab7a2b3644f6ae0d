//! Commands of operators, carried out by every instance that they concern.

use arpherd_actors::messages::{DemandSweep, GetSweepProgress, RunCommand};
use arpherd_actors::peer::Peer;
use arpherd_core::Address;
use arpherd_core::sweep::ON_DEMAND;
use arpherd_core::view::{
    Command, ForgottenView, OrderedRoleView, ProbeView, ProbedSegmentView, Query, Response, RoleCommand,
    SegmentView, WokenView,
};
use arpherd_core::wake::Sleeper;

use super::instance_queries::InstanceQueries;
use super::merging::{in_netns, merged};
use crate::control::Failure;
use crate::operate::{SweepQuery, SweepView};

fn stopping() -> Failure {
    Failure::Unavailable("the daemon is stopping; ask again when it has started".into())
}

/// Carries a command about an address out.
pub(super) async fn command(instances: Vec<InstanceQueries>, command: Command) -> Result<Response, Failure> {
    let mut responses = Vec::new();
    for instance in instances {
        let response = instance.commands.send(RunCommand(command.clone())).await.map_err(|_| stopping())?;
        responses.push(in_netns(response, instance.netns.as_ref()));
    }
    let response = responses.into_iter().reduce(merged).ok_or_else(stopping)?;
    let failure = match (&command, &response) {
        (Command::Probe(address), Response::Probed(rows)) => not_probed(*address, rows),
        (Command::Forget(address), Response::Forgotten(rows)) => not_forgotten(*address, rows),
        (Command::Wake(sleeper), Response::Woken(rows)) => not_woken(*sleeper, rows),
        (Command::Role(command), Response::Roles(rows)) => not_ordered(command, rows),
        _ => None,
    };
    failure.map_or(Ok(response), Err)
}

fn outside(address: Address) -> Failure {
    Failure::NotFound(format!("{address} lies in no domain's prefixes; `arpherd segments` lists them"))
}

fn own(address: Address) -> Failure {
    Failure::Refused(format!("{address} is an address of this machine, for which the kernel answers"))
}

/// Why nobody was asked for the address.
fn not_probed(address: Address, rows: &[ProbeView]) -> Option<Failure> {
    let segments: Vec<&ProbedSegmentView> = rows.iter().flat_map(|row| &row.segments).collect();
    let because = |reason| segments.iter().any(|it| it.because.as_deref() == Some(reason));
    if rows.is_empty() {
        Some(outside(address))
    } else if segments.iter().any(|it| it.asked) {
        None
    } else if because("own_address") {
        Some(own(address))
    } else if because("rate") {
        Some(Failure::Refused("too many searches at this moment; try again".into()))
    } else if because("segment_down") {
        let text = format!("no segment that may hold {address} is up; `arpherd segments` says why");
        Some(Failure::Refused(text))
    } else {
        let text = format!(
            "no host can have {address}: the configuration forbids it or publishes it, or it is a network or broadcast address"
        );
        Some(Failure::Refused(text))
    }
}

/// Why no host was given up.
fn not_forgotten(address: Address, rows: &[ForgottenView]) -> Option<Failure> {
    if rows.iter().any(|row| row.outcome == "forgotten") {
        return None;
    }
    let because = |reason| rows.iter().any(|row| row.outcome == reason);
    Some(if rows.is_empty() {
        outside(address)
    } else if because("fixed") {
        Failure::Refused(format!(
            "{address} is fixed by the configuration; change `pins` or `hosts` there, and run `arpherd reload`"
        ))
    } else if because("own_address") {
        own(address)
    } else {
        Failure::Refused(format!("no live host is known at {address}; `arpherd hosts` lists those there are"))
    })
}

/// Why no magic packet was sent.
fn not_woken(sleeper: Sleeper, rows: &[WokenView]) -> Option<Failure> {
    if rows.iter().any(|row| row.outcome == "sent") {
        return None;
    }
    let because = |reason| rows.iter().any(|row| row.outcome == reason);
    Some(match sleeper {
        Sleeper::Host(address) if rows.is_empty() => outside(address),
        Sleeper::Host(address) if because("own_address") => own(address),
        Sleeper::Host(address) if because("unknown") => Failure::Refused(format!(
            "no host was known at {address} since the daemon started; wake it by its link-layer address"
        )),
        _ if because("segment_down") => {
            Failure::Refused(format!("the segment of {sleeper} is not up; `arpherd segments` says why"))
        }
        _ => Failure::Refused(format!(
            "{sleeper} is on InfiniBand, where no machine is woken by a packet; its baseboard controller can"
        )),
    })
}

/// Why no domain obeys.
fn not_ordered(command: &RoleCommand, rows: &[OrderedRoleView]) -> Option<Failure> {
    if rows.iter().any(|row| row.outcome == "ordered") {
        return None;
    }
    let because = |reason| rows.iter().any(|row| row.outcome == reason);
    Some(match &command.domain {
        None => Failure::Refused(
            "no domain's role is commanded; it takes `ha: { command: {} }` in the configuration".into(),
        ),
        Some(name) if because("follows") => Failure::Refused(format!(
            "the role in {name} follows an address of this machine (`ha: {{ follow: … }}`), and nobody else decides"
        )),
        Some(name) if because("alone") => Failure::Refused(format!(
            "{name} has one gateway; it takes `ha: {{ command: {{}} }}` in the configuration for it to have two"
        )),
        Some(name) => Failure::NotFound(format!("there is no domain {name}; `arpherd segments` lists them")),
    })
}

/// Sweeps the segment of the query's name now, or all that can be swept.
pub(super) async fn sweep(
    instances: Vec<InstanceQueries>,
    query: &SweepQuery,
) -> Result<Vec<SweepView>, Failure> {
    let mut rows = Vec::new();
    for mut segment in chosen(instances, query).await? {
        let view = segment.progress().await?;
        let reason = segment.why_not(&view);
        let demanded = match reason {
            None => segment.demand().await?,
            Some(_) => None,
        };
        match (demanded, &query.segment) {
            (Some(view), _) => rows.push(view),
            // Of all segments those that can be swept are.
            (None, None) => {
                rows.push(SweepView { because: reason.map(|it| it.0).or(view.because.clone()), ..view });
            }
            (None, Some(_)) => {
                let text = reason
                    .map(|it| it.1)
                    .unwrap_or_else(|| "the segment cannot be swept now; try again".into());
                return Err(Failure::Refused(text));
            }
        }
    }
    if rows.iter().all(|row| row.because.is_some()) {
        let text = "no segment can be swept now; `arpherd segments` says why";
        return Err(Failure::Refused(text.into()));
    }
    Ok(rows)
}

/// How far the sweeps are.
pub(super) async fn sweeps(
    instances: Vec<InstanceQueries>,
    query: &SweepQuery,
) -> Result<Vec<SweepView>, Failure> {
    let mut rows = Vec::new();
    for mut segment in chosen(instances, query).await? {
        rows.push(segment.progress().await?);
    }
    Ok(rows)
}

/// A segment and its sweeps.
struct SweptSegment {
    view: SegmentView,
    demand: Peer<DemandSweep>,
    progress: Peer<GetSweepProgress>,
}

impl SweptSegment {
    async fn progress(&mut self) -> Result<SweepView, Failure> {
        let progress = self.progress.send(GetSweepProgress).await.map_err(|_| stopping())?;
        Ok(SweepView::new(&self.view, &progress))
    }

    async fn demand(&mut self) -> Result<Option<SweepView>, Failure> {
        let progress = self.demand.send(DemandSweep).await.map_err(|_| stopping())?;
        Ok(progress.map(|progress| SweepView::new(&self.view, &progress)))
    }

    /// Why it cannot be swept on demand: a keyword, and what to do.
    fn why_not(&self, sweeps: &SweepView) -> Option<(arpherd_core::view::Keyword, String)> {
        let SegmentView { segment, state, subnet, .. } = &self.view;
        if state != "up" {
            let text = format!(
                "segment {segment} cannot be swept: it is {state}; `arpherd doctor` may say what to do"
            );
            return Some((state.clone(), text));
        }
        let size = |prefix: &arpherd_core::Prefix| 1_u64 << (32 - prefix.prefix());
        let addresses: u64 = subnet.prefixes.iter().map(size).sum();
        if sweeps.interval_milliseconds.is_none() && addresses > ON_DEMAND {
            let text = format!(
                "segment {segment} has {addresses} addresses; more than {ON_DEMAND} are swept only with a rate of the \
                 operator's choice: set sweep.rate and sweep.interval"
            );
            return Some(("too_large".into(), text));
        }
        None
    }
}

/// The segments that the query means.
async fn chosen(instances: Vec<InstanceQueries>, query: &SweepQuery) -> Result<Vec<SweptSegment>, Failure> {
    let mut chosen = Vec::new();
    for instance in instances {
        let sweeps = instance.sweeps.clone();
        let Response::Segments(views) = instance.run(Query::Segments).await? else { continue };
        let all = views.into_iter().zip(sweeps.iter().cloned());
        let segments = all.map(|(view, (demand, progress))| SweptSegment { view, demand, progress });
        chosen.extend(segments.filter(|it| is_meant(&it.view, query.segment.as_deref())));
    }
    match &query.segment {
        Some(name) if chosen.is_empty() => {
            Err(Failure::NotFound(format!("no segment or interface {name}; `arpherd segments` lists them")))
        }
        _ => Ok(chosen),
    }
}

fn is_meant(segment: &SegmentView, name: Option<&str>) -> bool {
    let names = [&segment.segment, &segment.interface, &segment.configured_interface];
    name.is_none_or(|name| names.iter().any(|its| ***its == *name))
}
