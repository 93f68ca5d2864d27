//! Which variables of the caller's environment commands do not inherit.

/// Whether a variable changes the bytes, toolchain or repository of a build. Commands do not inherit such variables from
/// the caller or from the cargo that runs xtask: only plans set them.
///
/// The tokens of registries of packages are among them, since no command needs them.
///
/// RUSTUP_TOOLCHAIN is one of them, since rust-toolchain.toml names the compiler; and `GIT_*`, which in a hook name the
/// repository of the commit that is being made.
pub(super) fn is_cleaned(name: &str) -> bool {
    const NAMES: &str = "AR CARGO CARGO_REGISTRY_TOKEN CC CFLAGS CPATH CPPFLAGS CRATE_CC_NO_DEFAULTS CXX CXXFLAGS C_INCLUDE_PATH \
        DYLD_FALLBACK_LIBRARY_PATH DYLD_LIBRARY_PATH LDFLAGS LD_LIBRARY_PATH LIBRARY_PATH MACOSX_DEPLOYMENT_TARGET \
        NODE_ENV NODE_OPTIONS NOETL_CHANNELS_TOKEN NOETL_COMMIT NPM_CONFIG_INCLUDE NPM_CONFIG_OMIT \
        NPM_CONFIG_PRODUCTION NPM_TOKEN OUT_DIR PYPI_TOKEN RUSTC \
        RUSTC_WORKSPACE_WRAPPER RUSTC_WRAPPER RUSTDOCFLAGS RUSTFLAGS RUSTUP_TOOLCHAIN SDKROOT SOURCE_DATE_EPOCH \
        ZERO_AR_DATE npm_config_include npm_config_omit npm_config_production";
    const PREFIXES: &str = "AR_ CARGO_BIN_ CARGO_BUILD_ CARGO_CFG_ CARGO_CRATE_ CARGO_ENCODED_ CARGO_FEATURE_ \
        CARGO_MANIFEST_ CARGO_PKG_ CARGO_PRIMARY_ CARGO_PROFILE_ CARGO_TARGET_ CARGO_ZIGBUILD_ CC_ CFLAGS_ CXX_ \
        CXXFLAGS_ GIT_ HOST_ TARGET_ VITE_";
    let is_named = NAMES.split(' ').any(|cleaned| cleaned == name);
    let has_prefix = PREFIXES.split(' ').any(|prefix| name.starts_with(prefix));
    name != "CARGO_TARGET_DIR" && (is_named || has_prefix)
}

#[cfg(test)]
mod tests {
    use super::is_cleaned;

    #[test]
    fn variables_that_change_builds_are_not_inherited() {
        let cleaned = "RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_PKG_NAME CFLAGS SDKROOT RUSTUP_TOOLCHAIN GIT_DIR";
        for name in cleaned.split(' ') {
            assert!(is_cleaned(name), "{name}");
        }
        let kept = "PATH HOME CARGO_HOME CARGO_TARGET_DIR CARGO_NET_OFFLINE PIP_CERT PIP_INDEX_URL PIP_CONFIG_FILE \
            NPM_CONFIG_REGISTRY npm_config_registry NPM_CONFIG_USERCONFIG SSL_CERT_FILE";
        for name in kept.split(' ') {
            assert!(!is_cleaned(name), "{name}");
        }
    }
}
