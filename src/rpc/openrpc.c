/* The OpenRPC document (version 1.3 of that specification), from the tables. */
#include <string.h>

#include "rpc/schema.h"

#ifndef PROGRAM_VERSION
#error "the build says the version"
#endif

static void set(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static json_t *reference(const char *of)
{
    json_t *schema = json_object();
    set(schema, "$ref", json_sprintf("#/components/schemas/%s", of));
    return schema;
}

/* "a|b|c" as an array. */
static json_t *values_of(const char *bars)
{
    json_t *values = json_array();
    while (*bars != '\0') {
        size_t size = strcspn(bars, "|");
        (void)json_array_append_new(values, json_stringn(bars, size));
        bars += size + (bars[size] == '|');
    }
    return values;
}

static json_t *typed(const char *type)
{
    json_t *schema = json_object();
    set(schema, "type", json_string(type));
    return schema;
}

static json_t *array_of(json_t *items)
{
    json_t *schema = typed("array");
    set(schema, "items", items);
    return schema;
}

static json_t *schema_of(const struct rpc_field *field)
{
    json_t *schema = NULL;
    switch (field->type) {
    case RPC_STRING: /* JSON Schema counts characters: never more than bytes */
        schema = typed("string");
        if (field->of != NULL)
            set(schema, "enum", values_of(field->of));
        if (field->least > 0)
            set(schema, "minLength", json_integer((json_int_t)field->least));
        set(schema, "maxLength", json_integer((json_int_t)field->most));
        break;
    case RPC_INTEGER:
        schema = typed("integer");
        set(schema, "minimum", json_integer((json_int_t)field->least));
        if (field->most < INT64_MAX)
            set(schema, "maximum", json_integer((json_int_t)field->most));
        break;
    case RPC_BOOLEAN:
        schema = typed("boolean");
        break;
    case RPC_ID:
        schema = typed("string");
        set(schema, "pattern", json_string("^[0-9a-f]{64}$"));
        break;
    case RPC_STRINGS:
        schema = array_of(typed("string"));
        set(schema, "minItems", json_integer((json_int_t)field->least));
        set(schema, "maxItems", json_integer((json_int_t)field->most));
        break;
    case RPC_NUMBERS:
        schema = array_of(
            json_pack("{s:s, s:i, s:i}", "type", "integer", "minimum", 0, "maximum", UINT8_MAX));
        set(schema, "maxItems", json_integer((json_int_t)field->most));
        break;
    case RPC_OBJECT:
        return reference(field->of);
    case RPC_OBJECTS:
        schema = array_of(reference(field->of));
        break;
    case RPC_CALL:
        schema = json_pack("{s:[s,s]}", "type", "integer", "string");
        break;
    }
    set(schema, "description", json_string(field->text));
    return schema;
}

static json_t *object_schema(const struct rpc_object *object)
{
    json_t *schema = typed("object"), *properties = json_object(), *required = json_array();
    for (const struct rpc_field *field = object->fields; field->name != NULL; field++) {
        set(properties, field->name, schema_of(field));
        if (!field->optional)
            (void)json_array_append_new(required, json_string(field->name));
    }
    set(schema, "description", json_string(object->text));
    set(schema, "properties", properties);
    set(schema, "required", required);
    return schema;
}

static json_t *method_params(const struct rpc_method *method)
{
    json_t *params = json_array();
    for (const struct rpc_field *field = method->params; field->name != NULL; field++) {
        json_t *param = json_object();
        set(param, "name", json_string(field->name));
        set(param, "description", json_string(field->text));
        set(param, "required", json_boolean(!field->optional));
        set(param, "schema", schema_of(field));
        (void)json_array_append_new(params, param);
    }
    return params;
}

static json_t *method_object(const struct rpc_method *method)
{
    json_t *object = json_object(), *result = json_object();
    set(object, "name", json_string(method->name));
    set(object, "summary", json_string(method->summary));
    set(object, "paramStructure", json_string("by-name"));
    set(object, "params", method_params(method));
    set(result, "name", json_string(method->result));
    set(result, "schema", reference(method->result));
    set(object, "result", result);
    if (method->waits)
        set(object, "x-waits", json_true()); /* answered when it is done, others meanwhile */
    return object;
}

json_t *rpc_openrpc(void)
{
    json_t *document = json_object(), *info = json_object(), *methods = json_array();
    json_t *schemas = json_object(), *components = json_object();
    set(info, "title", json_string("Sotto"));
    set(info, "version", json_string(PROGRAM_VERSION));
    set(info, "description",
        json_string("The messenger without a face: JSON-RPC 2.0, one object a line, over the"
                    " socket of `sotto daemon` or its standard input and output. docs/RPC.md."));
    for (const struct rpc_method *method = rpc_methods; method->name != NULL; method++)
        (void)json_array_append_new(methods, method_object(method));
    for (const struct rpc_object *object = rpc_objects; object->name != NULL; object++)
        set(schemas, object->name, object_schema(object));
    set(components, "schemas", schemas);
    set(document, "openrpc", json_string("1.3.2"));
    set(document, "info", info);
    set(document, "methods", methods);
    set(document, "components", components);
    return document;
}
