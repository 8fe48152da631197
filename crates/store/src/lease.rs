//! Leases: what must not be collected while someone works with it, held in memory.

use crate::{Error, Store};
use sampan_spec::Digest;
use std::sync::Arc;

/// Keeps an image, its layers and its blobs from being removed until it is dropped.
#[derive(Debug)]
pub struct Lease {
    store: Arc<Store>,
    content: Vec<Digest>,
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
    Ok(Lease { store: store.clone(), content })
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.store.index().release(&self.content);
    }
}

/// The same within the store, for content that belongs to no image yet.
#[derive(Debug)]
pub(crate) struct Pin<'a> {
    store: &'a Store,
    content: Vec<Digest>,
}

impl<'a> Pin<'a> {
    pub(crate) fn new(store: &'a Store, content: Vec<Digest>) -> Self {
        store.index().lease(&content);
        Self { store, content }
    }
}

impl Drop for Pin<'_> {
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
