//! Envoy's configuration around policies.

use std::path::Path;

use serde_json::{Map, Value, json};

/// A listener with a policy.
#[derive(Debug, Clone)]
pub struct Listener {
    name: &'static str,
    configuration: Value,
    plugin: Map<String, Value>,
    environment: Value,
    connection_manager: Map<String, Value>,
    route: Map<String, Value>,
    filter: Option<Value>,
    answer: Option<u16>,
}

impl Listener {
    /// A listener whose policy is this text: YAML or JSON.
    pub fn new(name: &'static str, policy: impl Into<String>) -> Self {
        let text = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": policy.into()});
        Self::configured(name, text)
    }

    /// A listener whose policy is written natively in Envoy's configuration.
    pub fn native(name: &'static str, policy: &Value) -> Self {
        let native =
            json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": policy});
        Self::configured(name, native)
    }

    /// The listener of an example: its policy word by word, with the variables of its `policy.env`. One hop in front
    /// is trusted, so that a request may name its caller's address.
    pub fn example(name: &'static str) -> Self {
        let read = |file: &str| {
            let path = xtask::paths::root().join("examples").join(name).join(file);
            std::fs::read_to_string(path).unwrap()
        };
        let environment = read("policy.env");
        let variables = environment.lines().filter(|line| !line.starts_with('#'));
        let variables: Map<String, Value> = variables
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        Self::new(name, read("policy.yaml"))
            .environment(json!({"key_values": variables}))
            .connection_manager("xff_num_trusted_hops", json!(1))
            .stop_iteration()
    }

    /// The same with another policy.
    pub fn with_policy(mut self, policy: &str) -> Self {
        self.configuration["value"] = json!(policy);
        self
    }

    fn configured(name: &'static str, configuration: Value) -> Self {
        Self {
            name,
            configuration,
            plugin: Map::new(),
            environment: json!({}),
            connection_manager: Map::new(),
            route: Map::new(),
            filter: None,
            answer: None,
        }
    }

    /// A listener with this HTTP filter instead of Doorward.
    pub fn other_filter(name: &'static str, filter: Value) -> Self {
        Self {
            filter: Some(filter),
            ..Self::configured(name, Value::Null)
        }
    }

    /// Answers what passes with this status, instead of the upstream.
    pub fn answering(mut self, status: u16) -> Self {
        self.answer = Some(status);
        self
    }

    /// With `allow_on_headers_stop_iteration`.
    pub fn stop_iteration(mut self) -> Self {
        let option = "allow_on_headers_stop_iteration".to_owned();
        self.plugin.insert(option, json!(true));
        self
    }

    /// The VM's `environment_variables`. The listener then has a VM of its own.
    pub fn environment(mut self, variables: Value) -> Self {
        self.environment = variables;
        self
    }

    /// One more field of the HTTP connection manager.
    pub fn connection_manager(mut self, field: &str, value: Value) -> Self {
        self.connection_manager.insert(field.to_owned(), value);
        self
    }

    /// Lets CONNECT through to the filter, and from there to the upstream.
    pub fn with_connect(mut self) -> Self {
        let upgrades = json!([{"upgrade_type": "CONNECT"}]);
        self.route.insert("connect_matcher".to_owned(), json!({}));
        self.connection_manager("upgrade_configs", upgrades)
    }

    fn render(&self) -> Value {
        let own_vm = self.environment != json!({});
        let vm_id = if own_vm { self.name } else { "doorward" };
        let mut plugin = json!({
            "name": "doorward", "root_id": "doorward", "failure_policy": "FAIL_RELOAD",
            "vm_config": {
                "vm_id": vm_id, "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": "{{module}}"}},
                "environment_variables": self.environment,
            },
            "configuration": self.configuration,
        });
        extend(&mut plugin, &self.plugin);
        let filter = self.filter.clone().unwrap_or_else(|| {
            json!({"name": "doorward", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": plugin}})
        });
        let mut routes = vec![match self.answer {
            Some(status) => {
                json!({"match": {"prefix": "/"}, "direct_response": {"status": status}})
            }
            None => json!({"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}),
        }];
        for (matcher, value) in &self.route {
            let connect = json!({"upgrade_type": "CONNECT", "connect_config": {}});
            routes.push(json!({"match": {matcher: value},
                "route": {"cluster": "upstream", "upgrade_configs": [connect]}}));
        }
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "use_remote_address": true,
            "http_protocol_options": {"enable_trailers": true},
            "access_log": [{"name": "stdout", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": {"text_format_source": {
                    "inline_string": "access [%REQ(X-TEST)%] %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n"}},
            }}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": [
                filter,
                {"name": "envoy.filters.http.router", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
            ],
        });
        extend(&mut manager, &self.connection_manager);
        json!({
            "name": self.name,
            "stat_prefix": self.name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}],
        })
    }
}

fn extend(object: &mut Value, more: &Map<String, Value>) {
    object.as_object_mut().unwrap().extend(more.clone());
}

/// The whole configuration, for listeners that come from a file which may change, and clusters on ports of this
/// machine.
pub fn envoy_with_updates(file: &Path, clusters: &[(&str, u16)]) -> String {
    let directory = file.parent().unwrap();
    let source = json!({"path": file, "watched_directory": {"path": directory}});
    let dynamic =
        json!({"lds_config": {"resource_api_version": "V3", "path_config_source": source}});
    format!(
        "{}node: {{id: doorward, cluster: tests}}\ndynamic_resources: {dynamic}\n",
        envoy(&[], clusters)
    )
}

/// Makes the file hold these listeners, all at once.
pub fn update(file: &Path, module: &Path, listeners: &[Listener]) {
    let listeners = listeners.iter().map(|listener| {
        let mut listener = listener.render();
        listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
        listener
    });
    let response = json!({"resources": listeners.collect::<Vec<_>>()}).to_string();
    let next = file.with_extension("next");
    std::fs::write(
        &next,
        response.replace("{{module}}", module.to_str().unwrap()),
    )
    .unwrap();
    std::fs::rename(next, file).unwrap();
}

/// The whole configuration, for these listeners and clusters on ports of this machine.
pub fn envoy(listeners: &[Listener], clusters: &[(&str, u16)]) -> String {
    let listeners: Vec<_> = listeners.iter().map(Listener::render).collect();
    let clusters = clusters.iter().map(|(name, port)| {
        let address = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
        json!({"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": address}}]}]}})
    });
    let resources = json!({"listeners": listeners, "clusters": clusters.collect::<Vec<_>>()});
    format!("static_resources: {resources}\n")
}
