/** The reference app's own tables would go here, beside the SDK's. It needs none so far. */
export {}
