  ;; The contract: `lifecycle` and `image-classification`, of the core instance `$guest`.
  (alias core export $guest "memory" (core memory $memory))
  (alias core export $guest "realloc" (core func $realloc))
  (type $error (record (field "code" string) (field "message" string)))
  (type $property (record (field "key" string) (field "value" string)))
  (type $rgb8-image (record
    (field "width" u32) (field "height" u32) (field "pixels" (list u8))))
  (type $image (variant (case "encoded" (list u8)) (case "rgb8" $rgb8-image)))
  (type $label (record (field "name" string) (field "score" f32)))
  (type $model-info (record
    (field "architecture" string) (field "properties" (list $property))))
  (func $init (result (result (error $error)))
    (canon lift (core func $guest "init") (memory $memory)))
  (func $describe (result $model-info)
    (canon lift (core func $guest "describe") (memory $memory)))
  (func $classify (param "image" $image) (param "top-k" u32)
    (result (result (list $label) (error $error)))
    (canon lift (core func $guest "classify") (memory $memory) (realloc $realloc)))
  (instance $lifecycle
    (export "error" (type $error)) (export "property" (type $property))
    (export "model-info" (type $model-info))
    (export "init" (func $init)) (export "describe" (func $describe)))
  (instance $image-classification
    (export "error" (type $error)) (export "rgb8-image" (type $rgb8-image))
    (export "image" (type $image)) (export "label" (type $label))
    (export "classify" (func $classify)))
  (export "ampoule:model/lifecycle@0.1.0" (instance $lifecycle))
  (export "ampoule:model/image-classification@0.1.0" (instance $image-classification))
