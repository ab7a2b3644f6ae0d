//! What the kernel answers.

use serde::{Deserialize, Serialize};

/// What is answered inside the kernel on a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KernelAnswers {
    /// How the kernel is made to answer by itself. It has an effect with [`super::AnswerMode::Kernel`] only.
    #[serde(rename = "kernel", default)]
    pub proxy: KernelProxy,
    /// Known hosts that ask here for known hosts elsewhere are answered by a program of ours at the interface's ingress,
    /// where one can be loaded ([`crate::Fact::FastAnswersReady`]). It has an effect with [`super::AnswerMode::Live`] only.
    #[serde(rename = "fast_answers", default, skip_serializing_if = "std::ops::Not::not")]
    pub fast: bool,
}

/// How the kernel is made to answer on a segment with [`super::AnswerMode::Kernel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelProxy {
    /// The sysctl `proxy_arp`: the kernel answers for every target routed through another interface.
    #[default]
    ProxyArp,
    /// One proxy entry (`ip neigh add proxy`) for each host alive on another segment and for each published address.
    Entries,
}
