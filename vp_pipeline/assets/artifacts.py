"""Keeping an asset's document and linking to it from the materialization.

Here belongs what one HTML document an asset takes, and the parts of it that others use: documents with older
versions are kept by `versions`, those of several files by the asset's own run.
"""

from typing import Any

from dagster import AssetExecutionContext, AssetKey, MetadataValue

from vp_pipeline.settings import Settings
from vp_pipeline.storage import artifacts
from vp_pipeline.storage.artifacts import Artifact, Include
from vp_pipeline.storage.connection import transaction


def publish(
    context: AssetExecutionContext,
    settings: Settings,
    key: AssetKey,
    document: str,
    partition: str = "",
) -> dict[str, Any]:
    """Keep the document under the asset's name; metadata that link to it."""
    shared = shared_part(document)
    name = "/".join(key.path)
    with transaction(settings.database_url.get_secret_value()) as connection:
        artifact = artifacts.put(connection, name, partition, document, context.run.run_id, shared)
    return links(settings, artifact)


def shared_part(document: str) -> Include | None:
    """plotly.js, if the document leaves a place for it."""
    from vp_pipeline.figures.page import PLOTLY_INCLUDE, plotly_script

    return Include(PLOTLY_INCLUDE, plotly_script()) if PLOTLY_INCLUDE in document else None


def links(settings: Settings, artifact: Artifact) -> dict[str, Any]:
    """Metadata that link to an artifact."""
    return {
        "download": MetadataValue.url(settings.artifact_url(artifact.name, artifact.partition)),
        "bytes": artifact.size,
        "sha256": artifact.sha256,
    }
