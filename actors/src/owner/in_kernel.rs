//! What the route owner has answered inside the kernel.

use actix::{AsyncContext, Handler};
use arpherd_core::view::SegmentView;
use arpherd_core::{Fact, SegmentId, Time};

use super::{AnswerInKernel, RouteOwner};
use crate::io::{FastPlace, VOUCH_INTERVAL};

/// Which writes to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fast {
    /// What it is to forget, before the kernel's tables change.
    Withdrawals,
    /// What it is to know, after they have.
    Puts,
}

impl Handler<AnswerInKernel> for RouteOwner {
    type Result = ();

    /// The route owner itself says that the daemon lives, so that a daemon that hangs answers nothing in the kernel, either.
    fn handle(&mut self, AnswerInKernel(fast): AnswerInKernel, ctx: &mut Self::Context) {
        self.fast = Some(fast);
        ctx.run_interval(VOUCH_INTERVAL, |this, _| {
            if let Some(fast) = &mut this.fast {
                fast.vouch();
            }
        });
        self.take(vec![Fact::FastAnswersReady(true)], false, &[], ctx);
    }
}

impl RouteOwner {
    pub(super) fn write_fast(&mut self, which: Fast) {
        let writes = match which {
            Fast::Withdrawals => std::mem::take(&mut self.dispatcher.fast.withdrawals),
            Fast::Puts => self.dispatcher.fast.take_puts(self.writer.pending()),
        };
        if let Some(fast) = self.fast.as_mut().filter(|_| !writes.is_empty()) {
            fast.write(&writes, &mut self.refusals);
        }
    }

    /// What the program did on the segment, and where it is.
    pub(super) fn show_in_kernel(&self, segment: SegmentId, view: &mut SegmentView) {
        let Some(fast) = &self.fast else {
            view.measured.fast_answers = view.measured.fast_answers.take().map(|_| "unavailable".into());
            return;
        };
        let answered = fast.answered(segment);
        view.counters.answered += answered;
        view.counters.answered_in_kernel = answered;
        if let Some(shown) = &mut view.measured.fast_answers {
            *shown = match fast.place(segment) {
                FastPlace::Nowhere => "daemon",
                FastPlace::Waiting => "waiting",
                FastPlace::At(hook) => hook.as_str(),
            }
            .into();
        }
    }

    /// Tells the ledger whom the program heard, while the same message is being handled.
    pub(super) fn read_heard(&mut self, now: Time) {
        for (domain, address) in std::mem::take(&mut self.dispatcher.heard_in_kernel) {
            let heard = self.fast.as_mut().and_then(|fast| fast.heard(domain, address));
            self.step_with_result(now, Fact::HeardInKernel { domain, address, heard }, None);
        }
    }
}
