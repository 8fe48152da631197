//! `pull`: an image from a registry.
//!
//! What a killed or cancelled pull has fetched stays, and the next one goes on there; what it has unpacked goes.

mod layers;
mod rest;

use crate::blocking::blocking;
use crate::engine::Engine;
use crate::event;
use crate::steps::{Doing, Step, nothing, run, step};
use crate::{Error, Result, container};
use sampan_image::{ImageConfig, Index, MAX_DOCUMENT, Manifest, media};
use sampan_registry::manifests::{Document, Target};
use sampan_registry::{Registry, blobs, manifests};
use sampan_spec::{Digest, ImageName, Platform, Reference, with_sources};
use sampan_store::{Intake, Store, images, ingest, intake, names};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc::UnboundedSender;

pub use sampan_registry::Credentials;

/// What to pull, and as whom.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which image. A digest goes before a tag.
    pub reference: Reference,
    /// Which of an index; the host's own where nothing is said.
    pub platform: Option<Platform>,
    /// Who asks.
    pub credentials: Credentials,
}

/// What was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image's id.
    pub id: Digest,
    /// The digest of what the reference stands for: of an index, where there is one.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Platform,
    /// Whether the name stood for something else before, or for nothing.
    pub is_new: bool,
}

/// What is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The reference was found.
    Found {
        /// The repository.
        name: ImageName,
        /// The tag or digest.
        target: String,
    },
    /// A layer gets on.
    Layer {
        /// Its blob.
        layer: Digest,
        /// What happens to it.
        state: LayerState,
    },
}

/// What happens to a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerState {
    /// It is here already.
    Exists,
    /// It is to be fetched.
    Queued,
    /// Others are fetched first, or someone else fetches it.
    Waiting,
    /// So many bytes of all have come.
    Downloading {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// The transfer broke, and goes on after this time.
    Retrying(Duration),
    /// All of it has come.
    Downloaded,
    /// So many bytes of all are unpacked.
    Extracting {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// It is here.
    Done,
}

/// Who is told; when it is closed, nobody wants the image any more, and the pull ends.
pub type Tell = UnboundedSender<Progress>;

/// What was fetched of a blob is kept for so long after the last byte came.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// An index may list indexes, and no more than that.
const DEPTH: usize = 2;

struct Pull {
    engine: Engine,
    request: Request,
    tell: Tell,
    registry: Arc<Registry>,
    /// Which of the registry's addresses answered.
    place: usize,
    manifest: Option<Manifest>,
    /// The digest of what the reference stands for.
    digest: Option<Digest>,
    /// The image, if it is here already and needs only its names.
    existing: Option<Digest>,
    /// The image on its way.
    intake: Option<Arc<Intake>>,
    pulled: Option<Pulled>,
}

const PULL: &[Step<Pull>] = &[
    step("manifest", fetch_manifest, nothing),
    step("config", fetch_config, abandon),
    step("layers", fetch_layers, nothing),
    step("commit", commit, nothing),
];

/// Pulls an image.
///
/// # Errors
/// When there is none for this platform, the registry refuses, or what comes is not what it should be: nothing of it
/// stays but what was fetched well.
pub async fn pull(engine: &Engine, request: Request, tell: Tell) -> Result<Pulled> {
    let (config, name) = (engine.options().registries.clone(), request.reference.name.clone());
    let (credentials, store) = (request.credentials.clone(), engine.store().clone());
    let registry = blocking(move || {
        expire(&store)?;
        sampan_registry::open(&config, &name, credentials).map_err(Error::from)
    });
    let mut pull = Pull {
        engine: engine.clone(),
        request,
        tell,
        registry: Arc::new(registry.await?),
        place: 0,
        manifest: None,
        digest: None,
        existing: None,
        intake: None,
        pulled: None,
    };
    run("pull", PULL, &mut pull).await?;
    let pulled = pull.pulled.ok_or(Error::Cancelled)?;
    let reference = &pull.request.reference;
    let image = super::find(engine, &pulled.id.to_string()).await.ok();
    let about = event::image_attributes(image.as_ref(), &reference.name.familiar());
    event::image(engine, "pull", &reference.familiar(), about);
    Ok(pulled)
}

/// Removes what was fetched of blobs and not gone on with for long.
pub(crate) fn expire(store: &Store) -> std::result::Result<(), sampan_store::Error> {
    SystemTime::now().checked_sub(KEEP).map_or(Ok(()), |before| ingest::expire(store, before))
}

impl Pull {
    /// What the reference names in its repository.
    fn target(&self) -> Target {
        let reference = &self.request.reference;
        match &reference.digest {
            Some(digest) => Target::Digest(digest.clone()),
            None => Target::Tag(reference.tag.clone().unwrap_or_default()),
        }
    }

    /// The names that the image gets: the tag that was asked for, and the digest.
    fn names(&self, digest: &Digest) -> Vec<Reference> {
        let Reference { name, tag, digest: asked } = &self.request.reference;
        let by_tag = tag.as_ref().filter(|_| asked.is_none());
        let by_tag = by_tag.map(|tag| Reference { name: name.clone(), tag: Some(tag.clone()), digest: None });
        let by_digest = Reference { name: name.clone(), tag: None, digest: Some(digest.clone()) };
        by_tag.into_iter().chain([by_digest]).collect()
    }

    /// Nobody may be there to hear it: then the pull ends soon.
    fn tell(&self, progress: Progress) {
        let _ = self.tell.send(progress);
    }

    /// Does `work`, unless nobody wants it any more.
    async fn while_wanted<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = work => result,
            () = self.tell.closed() => Err(Error::Cancelled),
        }
    }
}

fn fetch_manifest(pull: &mut Pull) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let platform = pull.request.platform.clone().unwrap_or_else(Platform::host);
        let found = pull.while_wanted(get(pull, pull.target())).await?;
        pull.tell(Progress::Found {
            name: pull.request.reference.name.clone(),
            target: match pull.target() {
                Target::Tag(tag) => tag.to_string(),
                Target::Digest(digest) => digest.to_string(),
            },
        });
        pull.digest = Some(found.document.digest().clone());
        pull.place = found.place;
        let mut document = found.document;
        for _ in 0..DEPTH {
            let Document::Index(index) = &document else { break };
            let chosen = choose(index, &platform)?;
            document = pull.while_wanted(get(pull, Target::Digest(chosen))).await?.document;
        }
        match document {
            Document::Manifest(manifest) => pull.manifest = Some(manifest),
            Document::Index(index) => return Err(Error::DeepIndex { digest: index.digest().clone() }),
        }
        Ok(())
    })
}

async fn get(pull: &Pull, target: Target) -> Result<manifests::Fetched> {
    let got = manifests::get(&pull.registry, &target).await;
    got.map_err(|source| Error::of_registry(&pull.request.reference, source))
}

fn choose(index: &Index, platform: &Platform) -> Result<Digest> {
    let chosen = index.select(platform).ok_or_else(|| Error::NoSuchPlatform(platform.clone()))?;
    Ok(chosen.digest.clone())
}

/// An image that is here already needs nothing more.
fn fetch_config(pull: &mut Pull) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let Some(manifest) = pull.manifest.take() else { return Ok(()) };
        let descriptor = manifest.config().clone();
        if !media::is_config(&descriptor.media_type) {
            return Err(Error::Artifact { media_type: descriptor.media_type });
        }
        if images::get(pull.engine.store(), &descriptor.digest).is_ok() {
            pull.existing = Some(descriptor.digest);
            return Ok(());
        }
        let blob = blobs::open(pull.registry.clone(), pull.place, descriptor.digest, descriptor.size, 0);
        let read = async { blobs::read(blob, MAX_DOCUMENT).await.map_err(Error::from) };
        let bytes = pull.while_wanted(read).await?;
        let config = ImageConfig::parse(bytes).map_err(sampan_store::Error::from)?;
        check_system(&config)?;
        let store = pull.engine.store().clone();
        let begun = blocking(move || intake::begin(&store, manifest, config, super::LAYER_MAX));
        pull.intake = Some(Arc::new(begun.await?));
        Ok(())
    })
}

fn check_system(config: &ImageConfig) -> Result<()> {
    let system = &config.document().os;
    if system.is_empty() || system == "linux" {
        return Ok(());
    }
    Err(Error::OtherSystem { system: system.clone() })
}

/// What was unpacked goes. It goes on after an error: what stays is collected by the next daemon.
fn abandon(pull: &mut Pull) -> Doing<'_, ()> {
    Box::pin(async {
        let Some(intake) = pull.intake.take() else { return };
        let all = container::list(&pull.engine).await;
        let in_use = super::in_use(&pull.engine, &all).await;
        if let Err(error) = blocking(move || intake::abandon(&intake, &in_use)).await {
            tracing::warn!("what a failed pull has unpacked stays for now: {}", with_sources(&error));
        }
    })
}

fn fetch_layers(pull: &mut Pull) -> Doing<'_, Result<()>> {
    Box::pin(async {
        match &pull.intake {
            Some(intake) => layers::fetch(pull, intake).await,
            None => Ok(()),
        }
    })
}

fn commit(pull: &mut Pull) -> Doing<'_, Result<()>> {
    Box::pin(async {
        let Some(digest) = pull.digest.clone() else { return Err(Error::Cancelled) };
        let names = pull.names(&digest);
        let (store, intake, existing) =
            (pull.engine.store().clone(), pull.intake.clone(), pull.existing.clone());
        let pulled = blocking(move || -> Result<Pulled> {
            let id =
                intake.as_ref().map(|intake| intake.id().clone()).or(existing).ok_or(Error::Cancelled)?;
            let former = names.first().and_then(|name| images::by_name(&store, name));
            match &intake {
                Some(intake) => drop(intake::commit(intake, names)?),
                None => names.iter().try_for_each(|name| names::tag(&store, &id, name).map(drop))?,
            }
            let platform = images::get(&store, &id)?.config.platform();
            Ok(Pulled { is_new: former.as_ref() != Some(&id), id, digest, platform })
        });
        pull.pulled = Some(pulled.await?);
        Ok(())
    })
}
