//! The table of leases.

use std::io;

use arpherd_core::view::LeaseView;

use super::layout::Column::{Left, Right};
use super::layout::{Output, TextTable, state};
use super::{lladdr, span, text};

/// Writes one line for each lease.
pub(super) fn write(out: &mut impl Output, rows: &[LeaseView]) -> io::Result<()> {
    let spaces = rows.iter().any(|row| row.netns.is_some());
    let mut table = TextTable::with_netns(
        spaces,
        &[
            Left("address"),
            Left("lladdr"),
            Left("domain"),
            Left("segment"),
            Left("client"),
            Left("server"),
            Left("state"),
            Right("expires"),
        ],
    )
    .less_important(&["client", "netns", "domain", "server", "lladdr"]);
    for row in rows {
        table.add_in(
            &row.netns,
            [
                row.address.to_string(),
                lladdr(&row.lladdr),
                text(&row.domain),
                text(&row.segment),
                text(&row.client),
                row.server.to_string(),
                state(&row.state),
                row.expires_seconds.map_or_else(|| "never".to_owned(), span),
            ],
        );
    }
    table.write(out)
}
