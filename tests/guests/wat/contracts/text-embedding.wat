  ;; The contract: `lifecycle` and `text-embedding`, of the core instance `$guest`.
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))
  (type $error (record (field "code" string) (field "message" string)))
  (type $property (record (field "key" string) (field "value" string)))
  (type $usage (record (field "input-tokens" u32) (field "output-tokens" u32)))
  (type $model-info (record
    (field "architecture" string) (field "properties" (list $property))))
  (type $embeddings (record
    (field "dimensions" u32) (field "values" (list f32))
    (field "truncated" (list bool)) (field "usage" $usage)))
  (func $init (result (result (error $error)))
    (canon lift (core func $guest "init") (memory $memory)))
  (func $describe (result $model-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $embed (param "texts" (list string)) (result (result $embeddings (error $error)))
    (canon lift (core func $guest "embed") (memory $memory) (realloc $realloc)
      (post-return (core func $guest "cleanup"))))
  (instance $lifecycle
    (export "error" (type $error)) (export "property" (type $property))
    (export "model-info" (type $model-info))
    (export "init" (func $init)) (export "describe" (func $describe)))
  (instance $text-embedding
    (export "error" (type $error)) (export "usage" (type $usage))
    (export "embeddings" (type $embeddings)) (export "embed" (func $embed)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/text-embedding@0.1.0" (instance $text-embedding))
