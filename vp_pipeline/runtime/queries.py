"""What is asked of Dagster's GraphQL API. How it is asked is in `dagster_api`."""

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on Error { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
RUN = """
query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status startTime endTime stats { ... on RunStatsSnapshot { materializations } } }
    ... on Error { message }
  }
}"""
FAILURE = """
query Failure($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection {
      events {
        ... on ExecutionStepFailureEvent {
          stepKey error { message cause { message } } failureMetadata { description }
        }
        ... on RunFailureEvent { message }
      }
    }
  }
}"""
STEPS = """
query Steps($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { stepStats { stepKey startTime endTime } }
    ... on Error { message }
  }
}"""
ASSETS = """
query Assets {
  assetNodes {
    assetKey { path }
    opNames
    isMaterializable
    assetMaterializations(limit: 1) { runId timestamp }
  }
}"""
PARTITIONS = """
query Partitions($keys: [AssetKeyInput!]) {
  assetNodes(assetKeys: $keys) {
    assetPartitionStatuses {
      ... on TimePartitionStatuses { ranges { status startKey endKey } }
    }
  }
}"""
EVENTS = """
query Events($id: ID!) {
  logsForRun(runId: $id) {
    ... on EventConnection {
      events {
        ... on MaterializationEvent { assetKey { path } metadataEntries { ...Entry } }
        ... on ObservationEvent { assetKey { path } metadataEntries { ...Entry } }
      }
    }
  }
}
fragment Entry on MetadataEntry {
  label
  ... on IntMetadataEntry { intRepr }
  ... on TextMetadataEntry { text }
}"""
TERMINATE = """
mutation Terminate($id: String!) {
  terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) {
    __typename
    ... on Error { message }
  }
}"""
