//! A container's record at rest: written whole or not at all.

use super::Container;
use crate::Result;
use crate::blocking::blocking;
use crate::engine::Engine;
use sampan_spec::with_sources;

/// Writes a record, or replaces it.
pub(super) async fn write(engine: &Engine, container: &Container) -> Result<()> {
    let (engine, container) = (engine.clone(), container.clone());
    blocking(move || {
        let removes_itself = container.config.host.auto_remove;
        let records = engine.records(removes_itself);
        let name = container.id.as_str();
        // The exec-root does not outlive a boot: there is nothing to sync.
        if removes_itself { records.put_unsynced(name, &container) } else { records.put(name, &container) }
    })
    .await?;
    Ok(())
}

/// Undoes a [`write`]: the record is again what it was.
pub(super) async fn write_back(engine: &Engine, container: &Container) {
    if let Err(e) = write(engine, container).await {
        tracing::error!(
            container = container.id.short(),
            "its former record was not written back: {}",
            with_sources(&e)
        );
    }
}
