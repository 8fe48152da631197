//! Work that takes long is done once for all who ask for it at the same time.

use crate::{Error, Result};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OnceCell;

/// The result of some work, as long as it is under way.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<Weak<OnceCell<T>>>);

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    /// Does the work, or waits for what somebody else has begun. If that fails, the next one tries. Work whose asker is gone
    /// goes on, for those who ask again: what reads disks could not be ended anyway, and would be begun once more each time.
    pub(crate) async fn get(&self, work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let cell = self.cell();
        let done = tokio::spawn(async move { cell.get_or_try_init(|| work).await.cloned() }).await;
        done.map_err(|e| Error::Host { what: "measure".into(), source: io::Error::other(e) })?
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

    /// Counts how often it was begun, and ends when it is let.
    #[derive(Default)]
    struct Work {
        begun: AtomicUsize,
        go: Notify,
    }

    async fn work(work: Arc<Work>) -> Result<usize> {
        let number = work.begun.fetch_add(1, Ordering::Relaxed);
        work.go.notified().await;
        Ok(number)
    }

    #[tokio::test]
    async fn who_asks_meanwhile_gets_the_same() {
        let (shared, known) = (Shared::default(), Arc::new(Work::default()));
        let release = async { known.go.notify_one() };
        let (a, b, ()) =
            tokio::join!(shared.get(work(known.clone())), shared.get(work(known.clone())), release);
        assert_eq!((a.unwrap(), b.unwrap()), (0, 0));
        known.go.notify_one();
        assert_eq!(shared.get(work(known.clone())).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn work_goes_on_when_its_asker_is_gone() {
        let (shared, known) = (Arc::new(Shared::default()), Arc::new(Work::default()));
        for _ in 0..3 {
            let (asked, of) = (shared.clone(), known.clone());
            let asker = tokio::spawn(async move { asked.get(work(of)).await });
            while known.begun.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            asker.abort();
            assert!(asker.await.is_err());
        }
        known.go.notify_one();
        assert_eq!(shared.get(work(known.clone())).await.unwrap(), 0);
        assert_eq!(known.begun.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_failure_is_nobody_elses() {
        let shared = Shared::default();
        let fail = async { Err(Error::ReadOnlyRoot) };
        let (a, b) = tokio::join!(shared.get(fail), shared.get(async { Ok(3) }));
        assert!(a.is_err());
        assert_eq!(b.unwrap(), 3);
    }
}
