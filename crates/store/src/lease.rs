//! Leases: what must not be collected while someone works with it, held in memory.

use crate::{Error, Store};
use sampan_spec::Digest;
use std::ops::Deref;
use std::sync::Arc;

/// Keeps an image, its layers and its blobs from being removed until it is dropped.
#[derive(Debug)]
pub struct Lease {
    _pin: Pin<Arc<Store>>,
}

/// Leases an image: from now until the lease is dropped it is neither removed nor are its layers collected.
///
/// # Errors
/// [`Error::NoSuchImage`].
pub fn lease(store: &Arc<Store>, image: &Digest) -> Result<Lease, Error> {
    let mut index = store.index();
    let Some(entry) = index.images.get(image) else {
        return Err(Error::NoSuchImage { typed: image.to_string() });
    };
    let mut content: Vec<Digest> = entry.blobs().cloned().collect();
    content.extend(entry.chains.last().cloned());
    index.lease(&content);
    drop(index);
    Ok(Lease { _pin: Pin { store: store.clone(), content } })
}

/// Keeps content from being collected, also such as belongs to no image yet.
#[derive(Debug)]
pub(crate) struct Pin<S: Deref<Target = Store>> {
    store: S,
    content: Vec<Digest>,
}

impl<S: Deref<Target = Store>> Pin<S> {
    pub(crate) fn new(store: S, content: Vec<Digest>) -> Self {
        store.index().lease(&content);
        Self { store, content }
    }
}

impl<S: Deref<Target = Store>> Drop for Pin<S> {
    fn drop(&mut self) {
        self.store.index().release(&self.content);
    }
}

impl crate::index::Index {
    fn lease(&mut self, content: &[Digest]) {
        for digest in content {
            *self.leases.entry(digest.clone()).or_insert(0) += 1;
        }
    }

    fn release(&mut self, content: &[Digest]) {
        for digest in content {
            if let Some(count) = self.leases.get_mut(digest) {
                *count -= 1;
                if *count == 0 {
                    self.leases.remove(digest);
                }
            }
        }
    }
}
