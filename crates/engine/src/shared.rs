//! Work that takes long is done once for all who ask for it at the same time.

use crate::Result;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;

/// The result of some work, as long as anybody waits for it.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<Weak<OnceCell<T>>>);

impl<T: Clone> Shared<T> {
    /// Does the work, or waits for what somebody else has begun. If that fails, the next one tries.
    pub(crate) async fn get(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let cell = self.cell();
        cell.get_or_try_init(|| work).await.cloned()
    }

    fn cell(&self) -> Arc<OnceCell<T>> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let cell = Arc::default();
            *current = Arc::downgrade(&cell);
            cell
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn who_asks_meanwhile_gets_the_same() {
        let (shared, begun, go) = (Shared::default(), AtomicUsize::new(0), Notify::new());
        let work = async || {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            go.notified().await;
            Ok(number)
        };
        let release = async { go.notify_one() };
        let (a, b, ()) = tokio::join!(shared.get(work()), shared.get(work()), release);
        assert_eq!((a.unwrap(), b.unwrap()), (0, 0));
        go.notify_one();
        assert_eq!(shared.get(work()).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_failure_is_nobody_elses() {
        let shared = Shared::default();
        let fail = async { Err(crate::Error::ReadOnlyRoot) };
        let (a, b) = tokio::join!(shared.get(fail), shared.get(async { Ok(3) }));
        assert!(a.is_err());
        assert_eq!(b.unwrap(), 3);
    }
}
