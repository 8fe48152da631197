//! A verb as a list of steps, each with its undo.
//!
//! [`run`] takes the steps in order; if one fails, those before it are undone, last first. For the tests of exactly that, a
//! debug build fails or ends the daemon after the step that `SAMPAN_FAIL_AFTER` or `SAMPAN_DIE_AFTER` names as
//! `verb.step`; a release build reads neither.

use crate::{Error, Result};
use std::pin::Pin;

/// What a step's functions return.
pub(crate) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One step of a verb with the state `C`.
pub(crate) struct Step<C> {
    name: &'static str,
    act: for<'a> fn(&'a mut C) -> Doing<'a, Result<()>>,
    undo: for<'a> fn(&'a mut C) -> Doing<'a, ()>,
}

/// A step.
pub(crate) const fn step<C>(
    name: &'static str,
    act: for<'a> fn(&'a mut C) -> Doing<'a, Result<()>>,
    undo: for<'a> fn(&'a mut C) -> Doing<'a, ()>,
) -> Step<C> {
    Step { name, act, undo }
}

/// An undo for a step that leaves nothing behind.
pub(crate) fn nothing<C>(_: &mut C) -> Doing<'_, ()> {
    Box::pin(async {})
}

/// Takes all steps, or none.
pub(crate) async fn run<C>(verb: &str, steps: &[Step<C>], context: &mut C) -> Result<()> {
    for (done, step) in steps.iter().enumerate() {
        let mut result = (step.act)(context).await;
        let mut undone = done;
        if result.is_ok() {
            result = fail_on_purpose(verb, step.name);
            undone += 1;
        }
        if let Err(error) = result {
            for step in steps[..undone].iter().rev() {
                (step.undo)(context).await;
            }
            return Err(error);
        }
    }
    Ok(())
}

/// A test's wish that a verb stops here.
pub(crate) fn fail_on_purpose(verb: &str, step: &str) -> Result<()> {
    if cfg!(debug_assertions) {
        let here = format!("{verb}.{step}");
        let named = |variable| std::env::var(variable).is_ok_and(|at| at == here);
        if named("SAMPAN_DIE_AFTER") {
            std::process::abort();
        }
        if named("SAMPAN_FAIL_AFTER") {
            return Err(Error::OnPurpose(here));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(log: &mut Vec<&'static str>, what: &'static str, works: bool) -> Result<()> {
        log.push(what);
        if works { Ok(()) } else { Err(Error::OnPurpose(what.into())) }
    }

    #[tokio::test]
    async fn a_failure_undoes_what_was_done_last_first() {
        const STEPS: &[Step<Vec<&'static str>>] = &[
            step(
                "a",
                |log| Box::pin(async { act(log, "a", true) }),
                |log| Box::pin(async { log.push("undo a") }),
            ),
            step(
                "b",
                |log| Box::pin(async { act(log, "b", true) }),
                |log| Box::pin(async { log.push("undo b") }),
            ),
            step(
                "c",
                |log| Box::pin(async { act(log, "c", false) }),
                |log| Box::pin(async { log.push("undo c") }),
            ),
        ];
        let mut log = Vec::new();
        assert!(run("test", STEPS, &mut log).await.is_err());
        assert_eq!(log, ["a", "b", "c", "undo b", "undo a"]);
        log.clear();
        assert!(run("test", &STEPS[..2], &mut log).await.is_ok());
        assert_eq!(log, ["a", "b"]);
    }
}
