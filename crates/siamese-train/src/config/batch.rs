//! The size of a batch in one number, for whatever sampler there is.

use anyhow::{Result, bail, ensure};

use super::layers::Layer;

/// The key of that number. It is no part of a configuration: it becomes the sampler's own settings.
const KEY: &str = "batch";

/// Puts a `batch` of `upper` into the sampler's settings; `lower` is what lies beneath it. `classes` are those to train
/// on.
///
/// # Errors
/// When so many images make no batch of the sampler's kind; the message says which would.
pub(crate) fn size(lower: &Layer, upper: &mut Layer, classes: usize) -> Result<()> {
    let Some(batch) = upper.value::<usize>(KEY)? else {
        return Ok(());
    };
    upper.remove(KEY);
    let merged = lower.clone().under(upper);
    match merged.text("sampler.kind") {
        Some("pairs") => {
            ensure!(
                batch >= 2 && batch.is_multiple_of(2),
                "batch is of pairs, and must be an even number of images, got {batch}"
            );
            upper.set("sampler.kind", "pairs")?;
            upper.set("sampler.pairs_per_batch", &(batch / 2).to_string())
        }
        Some("per_class") => {
            let least = merged.value::<usize>("sampler.images")?.unwrap_or(4).max(2);
            let fits = |images: &usize| batch.is_multiple_of(*images) && batch / images <= classes;
            let Some(images) = (least..=batch / 2).find(fits) else {
                bail!(
                    "batch = {batch} is no number of classes times at least {least} images of each, with {classes} classes to \
                     train on: say one that is, or sampler.classes and sampler.images"
                )
            };
            upper.set("sampler.kind", "per_class")?;
            upper.set("sampler.images", &images.to_string())?;
            upper.set("sampler.classes", &(batch / images).to_string())
        }
        other => bail!(
            "batch is for the samplers pairs and per_class, and sampler.kind is {:?}: say its own settings",
            other.unwrap_or("not told")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sized(batch: usize, sampler: &str, classes: usize) -> Result<String> {
        let lower = Layer::parse(sampler, "the test")?;
        let mut upper = Layer::default();
        upper.set("batch", &batch.to_string())?;
        size(&lower, &mut upper, classes)?;
        let sampler = lower.under(&upper).value::<toml::Table>("sampler")?;
        Ok(sampler.unwrap_or_default().to_string().replace('\n', " "))
    }

    #[test]
    fn a_batch_becomes_the_samplers_own_settings() -> Result<()> {
        let per_class = "sampler = { kind = 'per_class', images = 4 }";
        assert!(sized(512, per_class, 200)?.contains("classes = 128"));
        // of fewer classes more images each
        let few = sized(512, per_class, 80)?;
        assert!(
            few.contains("classes = 64") && few.contains("images = 8"),
            "{few}"
        );
        let pairs = sized(64, "sampler.kind = 'pairs'", 9)?;
        assert!(pairs.contains("pairs_per_batch = 32"), "{pairs}");
        Ok(())
    }

    #[test]
    fn a_batch_that_cannot_be_is_refused() {
        for (batch, sampler) in [
            (7, "sampler.kind = 'pairs'"),
            (509, "sampler.kind = 'per_class'"),
            (64, "sampler.kind = 'episodes'"),
        ] {
            let error = sized(batch, sampler, 100).unwrap_err().to_string();
            assert!(error.contains("batch"), "{error}");
        }
    }
}
