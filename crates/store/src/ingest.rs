//! Content on its way in from a registry: `ingest/<hex>`, which a later try goes on with.
