//! Turns: what two pulls share is fetched by one of them, while the other waits.

use sampan_spec::Digest;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is at which content. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Digest, Arc<Semaphore>>>>);

/// One's turn with some content, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    digest: Digest,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits until nobody else is at this content.
    pub(crate) async fn take(&self, digest: &Digest) -> Turn {
        let one = self.all().entry(digest.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone();
        // Nobody closes it.
        let permit = one.acquire_owned().await.ok();
        Turn { turns: self.clone(), digest: digest.clone(), permit }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = self.turns.all();
        drop(self.permit.take());
        // Whoever waits holds it, too.
        if all.get(&self.digest).is_some_and(|one| Arc::strong_count(one) == 1) {
            all.remove(&self.digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_after_the_other() {
        let (turns, digest) = (Turns::default(), sampan_image::sha256(b"a"));
        let first = turns.take(&digest).await;
        let other = turns.take(&sampan_image::sha256(b"b")).await;
        let waiting = tokio::spawn({
            let (turns, digest) = (turns.clone(), digest.clone());
            async move { drop(turns.take(&digest).await) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop((first, other));
        waiting.await.unwrap();
        assert!(turns.all().is_empty());
    }
}
