//! Which part of the terminal shows what.

use ratatui::layout::Rect;

/// The smallest terminal that anything is shown in.
pub(super) const LEAST: (u16, u16) = (62, 12);
/// Below this height only the chosen pane is shown.
const LEAST_FOR_ALL: u16 = 20;
/// Lines above the panes: the daemon, and the sum of all segments.
const HEADER: u16 = 2;
/// Lines of a pane that are no rows: its title and the headings.
pub(super) const PANE_HEAD: u16 = 2;

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Segments,
    Hosts,
    Events,
}

impl Pane {
    /// In their order on the screen.
    pub(super) const ALL: [Self; 3] = [Self::Segments, Self::Hosts, Self::Events];

    /// The pane `steps` further on.
    pub(super) fn next(self, steps: usize) -> Self {
        Self::ALL[(self as usize + steps) % Self::ALL.len()]
    }
}

/// Where everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The daemon and the sums.
    pub(super) header: Rect,
    /// The panes, in the order of [`Pane::ALL`]; none for those that are not shown.
    pub(super) panes: [Option<Rect>; 3],
    /// The keys, or the filter that is typed.
    pub(super) footer: Rect,
}

impl Layout {
    /// Divides the terminal; none if it is too small. With `alone` the chosen pane has it for itself; else the
    /// segments get the rows they need, within a limit, and the hosts most of the rest.
    pub(super) fn new(width: u16, height: u16, chosen: Pane, alone: bool, segments: usize) -> Option<Self> {
        if width < LEAST.0 || height < LEAST.1 {
            return None;
        }
        let line = |y, height| Rect { x: 0, y, width, height };
        let room = height - HEADER - 1;
        let mut panes = [None; 3];
        if alone || height < LEAST_FOR_ALL {
            panes[chosen as usize] = Some(line(HEADER, room));
        } else {
            let rows = room - 3 * PANE_HEAD;
            let wanted = u16::try_from(segments).unwrap_or(u16::MAX);
            let first = wanted.clamp(1, rows / 3) + PANE_HEAD;
            let last = (rows / 4).max(3) + PANE_HEAD;
            let middle = room - first - last;
            panes[Pane::Segments as usize] = Some(line(HEADER, first));
            panes[Pane::Hosts as usize] = Some(line(HEADER + first, middle));
            panes[Pane::Events as usize] = Some(line(HEADER + first + middle, last));
        }
        Some(Self { header: line(0, HEADER), panes, footer: line(height - 1, 1) })
    }

    /// Rows that the pane shows at the same time.
    pub(super) fn rows(&self, pane: Pane) -> usize {
        self.panes[pane as usize].map_or(0, |area| usize::from(area.height.saturating_sub(PANE_HEAD)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panes_fill_every_terminal_that_is_not_too_small() {
        for (width, height) in [(62, 12), (80, 19), (80, 20), (80, 24), (120, 40), (500, 200)] {
            for (alone, segments) in [(false, 0), (false, 3), (false, 300), (true, 3)] {
                let layout = Layout::new(width, height, Pane::Hosts, alone, segments).expect("large enough");
                let heights = layout.panes.iter().flatten().map(|area| area.height).sum::<u16>();
                assert_eq!(heights + layout.header.height + layout.footer.height, height);
                assert!(layout.rows(Pane::Hosts) >= 3, "{width}x{height}: {layout:?}");
            }
        }
        assert_eq!(Layout::new(61, 24, Pane::Hosts, false, 1), None);
        assert_eq!(Layout::new(80, 11, Pane::Hosts, false, 1), None);
    }

    #[test]
    fn a_low_terminal_shows_the_chosen_pane_alone() {
        let layout = Layout::new(80, 12, Pane::Events, false, 3).expect("large enough");
        assert_eq!(layout.panes.map(|area| area.is_some()), [false, false, true]);
    }
}
