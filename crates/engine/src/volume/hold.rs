//! Names that are held: two who make, fill or remove the same volume take turns, and nobody waits for another volume's.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The names that are held now.
#[derive(Debug, Default)]
pub(super) struct Holds {
    names: Mutex<HashSet<String>>,
    freed: Condvar,
}

/// A name, held until this is dropped.
#[must_use]
pub(crate) struct Held<'a> {
    holds: &'a Holds,
    name: String,
}

impl Holds {
    /// Waits until nobody holds a name, and holds it. Blocks: not for asynchronous tasks.
    pub(super) fn hold(&self, name: &str) -> Held<'_> {
        let taken = |names: &mut HashSet<String>| names.contains(name);
        let mut names = self.freed.wait_while(self.names(), taken).unwrap_or_else(PoisonError::into_inner);
        names.insert(name.to_owned());
        Held { holds: self, name: name.to_owned() }
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.holds.names().remove(&self.name);
        self.holds.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_at_a_time_holds_a_name() {
        let (holds, inside, most) = (Holds::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _held = holds.hold("a");
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 1);
        let _one = holds.hold("a");
        let _other = holds.hold("b");
    }
}
