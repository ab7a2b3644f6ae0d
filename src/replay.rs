//! Replay (on its way).
pub(crate) fn replay(_: impl std::io::BufRead, _: &mut impl std::io::Write, _: bool) -> Result<(), String> {
    Err("this build cannot replay yet".into())
}
