//! The integration's record at Port, its default mapping and its blueprints (upstream's
//! `core/defaults/initialization`): created where they are missing, never overwritten.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tracing::{info, warn};

use super::{
    client::{CallError, Endpoint, PortClient},
    extras::Extras,
    options::{ProcessingMode, ResourcesOrigin},
    processing::Organization,
};
use crate::{error::StartError, http::Request, integration::Assets};

// The protocol upstream's client names; Port chooses by it what it sends.
const OCEAN_CORE_VERSION: &str = "0.48.12";
// What relations need is left out at first, so that blueprints can refer to each other.
const STAGE_TWO: [&str; 3] = ["relations", "teamInheritance", "ownership"];
const STAGE_THREE: [&str; 3] = [
    "calculationProperties",
    "mirrorProperties",
    "aggregationProperties",
];

/// Why the set-up did not come to its end.
#[derive(Debug)]
pub(super) enum SetupError {
    /// Somebody must change something.
    Refused(StartError),
    /// It may work later.
    Passing(CallError),
}

/// The integration as Port knows it; none before it was created.
pub(super) async fn fetch_integration(client: &PortClient) -> Result<Option<Value>, CallError> {
    let request = Request::get(&integration_url(client))
        .query("oceanCoreVersion", OCEAN_CORE_VERSION)
        .query("isPolling", "false");
    match client.call(Endpoint::Integration, request).await {
        Ok(answer) => {
            let mut body: Value = answer.json()?;
            Ok(Some(body["integration"].take()))
        }
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Brings record, mapping and blueprints into being. What Port refuses on the way is logged, as
/// upstream does: an integration with a mapping works without its blueprints' extras.
pub(super) async fn set_up(client: &PortClient, assets: &Assets) -> Result<(), SetupError> {
    let config = default_config(assets).map_err(SetupError::Refused)?;
    let blueprints = blueprints(assets).map_err(SetupError::Refused)?;
    let extras = Extras::parse(assets).map_err(SetupError::Refused)?;
    let existing = fetch_integration(client).await.map_err(sorted)?;
    if let Some(integration) = &existing {
        check_runtime(client, integration).map_err(SetupError::Refused)?;
    }
    let origin = origin(client, existing.as_ref()).await?;
    let integration = match existing {
        Some(integration) => {
            update(client, &integration).await?;
            integration
        }
        None => create(client, origin, &config).await?,
    };
    if integration["arePortResourcesInitialized"] == true {
        return Ok(());
    }
    match origin {
        ResourcesOrigin::Empty => {
            let config = json!({"resources": []});
            let body = json!({"config": config, "arePortResourcesInitialized": true});
            tolerated("empty the mapping", patch(client, body).await)?;
        }
        // Upstream polls for them here; whoever needs the mapping waits for it anyway.
        ResourcesOrigin::Port => info!("Port creates mapping and blueprints."),
        ResourcesOrigin::Default if client.options.initialize_resources => {
            if is_empty(&integration["config"]) {
                let result = patch(client, json!({"config": config})).await;
                tolerated("store the default mapping", result)?;
            }
            if create_blueprints(client, &blueprints).await? {
                tolerated(
                    "create what belongs to the blueprints",
                    extras.create(client).await,
                )?;
            }
            let body = json!({"arePortResourcesInitialized": true});
            tolerated("note that resources exist", patch(client, body).await)?;
        }
        ResourcesOrigin::Default => {}
    }
    Ok(())
}

// === Integration ===

fn integration_url(client: &PortClient) -> String {
    client.url(&["integration", &client.options.integration.identifier])
}

fn check_runtime(client: &PortClient, integration: &Value) -> Result<(), StartError> {
    let Some(installed) = integration["installationType"].as_str() else {
        return Ok(());
    };
    let is_saas = client.options.is_saas;
    if installed.starts_with("Saas") == is_saas && (is_saas || installed == "OnPrem") {
        return Ok(());
    }
    Err(StartError::new(format!(
        "the integration `{}` is installed as {installed}; set `OCEAN__RUNTIME` to match, or choose \
         another `OCEAN__INTEGRATION__IDENTIFIER`",
        client.options.integration.identifier
    )))
}

async fn origin(
    client: &PortClient,
    existing: Option<&Value>,
) -> Result<ResourcesOrigin, SetupError> {
    let stored = existing.and_then(|found| found["createPortResourcesOrigin"].as_str());
    match stored {
        Some("Empty") => return Ok(ResourcesOrigin::Empty),
        Some("Default" | "Ocean") => return Ok(ResourcesOrigin::Default),
        Some("Port") => return Ok(ResourcesOrigin::Port),
        _ => {}
    }
    match client.options.origin {
        Some(origin @ (ResourcesOrigin::Empty | ResourcesOrigin::Default)) => return Ok(origin),
        Some(ResourcesOrigin::Port) | None => {}
    }
    let is_provisioned = provisions(client).await?
        && Organization::fetch(client)
            .await
            .or_else(absent)
            .map_err(sorted)?
            .has("USE_PROVISIONED_DEFAULTS");
    Ok(if is_provisioned {
        ResourcesOrigin::Port
    } else {
        ResourcesOrigin::Default
    })
}

async fn provisions(client: &PortClient) -> Result<bool, SetupError> {
    let request = Request::get(&client.url(&["integration", "provision-enabled"]));
    let answer = match client.call(Endpoint::Integration, request).await {
        Ok(answer) => answer.json().map_err(CallError::from).or_else(absent),
        Err(error) => absent(error),
    };
    let answer: Value = answer.map_err(sorted)?;
    let kinds = answer["integrations"].as_array();
    Ok(kinds.is_some_and(|kinds| {
        kinds
            .iter()
            .any(|kind| *kind == *client.options.integration.kind)
    }))
}

async fn create(
    client: &PortClient,
    origin: ResourcesOrigin,
    config: &Value,
) -> Result<Value, SetupError> {
    let options = &client.options;
    let is_default = origin == ResourcesOrigin::Default && options.initialize_resources;
    let body = json!({
        "installationId": options.integration.identifier,
        "installationAppType": options.integration.kind,
        "version": options.integration.version,
        "changelogDestination": options.changelog_destination,
        "config": if is_default { config.clone() } else { json!({}) },
        "actionsProcessingEnabled": false,
        "incrementalSyncEnabled": false,
        "createPortResourcesOrigin": match origin {
            ResourcesOrigin::Empty => "Empty",
            ResourcesOrigin::Default => "Default",
            ResourcesOrigin::Port => "Port",
        },
    });
    let mut request = Request::post(&client.url(&["integration"]));
    if origin == ResourcesOrigin::Port {
        request = request.query("integration_modes", "create_resources");
    }
    let result = client
        .call(Endpoint::Integration, request.json(&body))
        .await;
    if result.is_ok() {
        info!(
            identifier = options.integration.identifier,
            "The integration was created at Port."
        );
    }
    tolerated("create the integration", result)?;
    Ok(body)
}

/// Tells Port what has changed since the last start.
async fn update(client: &PortClient, integration: &Value) -> Result<(), SetupError> {
    let options = &client.options;
    let wanted = json!({
        "installationAppType": options.integration.kind,
        "version": options.integration.version,
        "changelogDestination": options.changelog_destination,
        "processingMode": match options.processing_mode {
            ProcessingMode::Dsp => "dsp",
            ProcessingMode::OceanCore => "ocean-core",
        },
    });
    let mut changed: Map<String, Value> = Map::new();
    for (key, value) in wanted.as_object().into_iter().flatten() {
        if integration[key] != *value {
            changed.insert(key.clone(), value.clone());
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    tolerated(
        "update the integration",
        patch(client, changed.into()).await,
    )
}

/// Patches the integration; the version goes along always.
async fn patch(client: &PortClient, mut body: Value) -> Result<(), CallError> {
    body["version"] = client.options.integration.version.clone().into();
    let request = Request::patch(&integration_url(client)).json(&body);
    // A patch says how things should be, so sending it twice does no harm.
    let request = request.repeatable(true);
    client.call(Endpoint::Integration, request).await.map(drop)
}

fn is_empty(config: &Value) -> bool {
    config.as_object().is_none_or(Map::is_empty)
}

// === Blueprints ===

/// Creates all blueprints or none: if one exists already, somebody has a catalog of their own.
/// Whether it did.
async fn create_blueprints(client: &PortClient, blueprints: &[Value]) -> Result<bool, SetupError> {
    let lookups = blueprints.iter().map(|blueprint| exists(client, blueprint));
    for found in join_all(lookups).await {
        if found.map_err(sorted)? {
            return Ok(false);
        }
    }
    let mut created = Vec::new();
    let result = create_in_stages(client, blueprints, &mut created).await;
    let Err(error) = result else {
        info!(count = created.len(), "Blueprints were created at Port.");
        return Ok(true);
    };
    // Half a set of blueprints would be taken for the user's own at the next start.
    for id in created {
        let request = Request::delete(&client.url(&["blueprints", &id]));
        if let Err(error) = client.call(Endpoint::Blueprint, request).await {
            warn!(%error, id, "A blueprint cannot be taken back.");
        }
    }
    tolerated("create the blueprints", Err::<(), _>(error))?;
    Ok(false)
}

async fn create_in_stages(
    client: &PortClient,
    blueprints: &[Value],
    created: &mut Vec<String>,
) -> Result<(), CallError> {
    let without = |blueprint: &Value, keys: &[&str]| {
        let mut blueprint = blueprint.clone();
        if let Some(object) = blueprint.as_object_mut() {
            object.retain(|key, _| !keys.contains(&&**key));
        }
        blueprint
    };
    let later = [STAGE_TWO, STAGE_THREE].concat();
    for blueprint in blueprints {
        let request = Request::post(&client.url(&["blueprints"])).json(&without(blueprint, &later));
        client.call(Endpoint::Blueprint, request).await?;
        created.push(identifier(blueprint).to_owned());
    }
    for left_out in [&STAGE_THREE[..], &[]] {
        for blueprint in blueprints {
            let url = client.url(&["blueprints", identifier(blueprint)]);
            let request = Request::new(Method::PATCH, &url)
                .repeatable(true)
                .json(&without(blueprint, left_out));
            client.call(Endpoint::Blueprint, request).await?;
        }
    }
    Ok(())
}

async fn exists(client: &PortClient, blueprint: &Value) -> Result<bool, CallError> {
    let request = Request::get(&client.url(&["blueprints", identifier(blueprint)]));
    match client.call(Endpoint::Blueprint, request).await {
        Ok(_) => Ok(true),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
        Err(error) => Err(error),
    }
}

fn identifier(blueprint: &Value) -> &str {
    blueprint["identifier"].as_str().unwrap_or_default()
}

// === Assets ===

/// The default mapping of the integration, with upstream's defaults filled in.
pub(in crate::catalog) fn default_config(assets: &Assets) -> Result<Value, StartError> {
    let file: Value = serde_saphyr::from_str(assets.app_config)
        .map_err(|error| StartError::new(format!("`port-app-config.yaml` is not YAML: {error}")))?;
    let mut config = json!({
        "deleteDependentEntities": true,
        "createMissingRelatedEntities": true,
        "enableMergeEntity": true,
        "entityDeletionThreshold": 0.9,
        "resources": [],
    });
    match (config.as_object_mut(), file) {
        (Some(config), Value::Object(file)) => config.extend(file),
        (_, Value::Null) => {}
        _ => {
            return Err(StartError::new(
                "`port-app-config.yaml` is not a mapping; start it with `resources:`",
            ));
        }
    }
    Ok(config)
}

/// The integration's blueprints.
pub(in crate::catalog) fn blueprints(assets: &Assets) -> Result<Vec<Value>, StartError> {
    // JSON is YAML, so that either format works.
    serde_saphyr::from_str(assets.blueprints)
        .map_err(|error| StartError::new(format!("`blueprints.json` is not a list: {error}")))
}

// === Errors ===

fn sorted(error: CallError) -> SetupError {
    match error {
        CallError::Credentials(message) => SetupError::Refused(StartError::new(message)),
        error if error.is_passing() => SetupError::Passing(error),
        error => SetupError::Refused(StartError::new(format!(
            "Port cannot be asked about the integration: {error}"
        ))),
    }
}

/// Logs a refusal and goes on; an outage stops the set-up, which is tried again as a whole.
fn tolerated<T>(what: &str, result: Result<T, CallError>) -> Result<(), SetupError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.is_passing() => Err(SetupError::Passing(error)),
        Err(error) => {
            warn!(%error, "Cannot {what} at Port.");
            Ok(())
        }
    }
}

/// A refused question is answered with "nothing".
fn absent<T: Default>(error: CallError) -> Result<T, CallError> {
    if error.is_passing() {
        Err(error)
    } else {
        Ok(T::default())
    }
}
